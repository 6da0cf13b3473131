#!/usr/bin/env bash
# usage: build/package-test.sh MODEL_FOLDER MODEL_ZIP
# Packs the library, looks at what is in the package, and uses it as its users do, in console projects outside the
# repository and with an empty folder for NuGet's packages: one scores a row with the model in the folder and with the one
# in the zip, others lack what a program needs and must be told.
set -euo pipefail

[[ $# == 2 ]] || { sed -n 2p "$0" >&2; exit 2; }
model=$(realpath "$1")
zip=$(realpath "$2")
root=$(realpath "$(dirname "$0")/..")
library=$root/Microsoft.ML.CoLM

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "package-test: $1" >&2; exit 1; }

has() { grep -q -- "$2" "$1" || fail "$3"; }

# usage: pack PACKAGE [ARGUMENT...]; the version is one of its own, so that NuGet takes this package and no other.
pack() { dotnet pack "$library" -c Release -o "$work/feed" -p:CoLMPackageId="$1" -p:PackageVersion="$version" "${@:2}"; }

# usage: build FOLDER PACKAGE [ARGUMENT...]
build() {
    cp -r "$root/build/PackageTest" "$work/$1"
    NUGET_PACKAGES=$work/packages dotnet build "$work/$1" -c Release -p:CoLMPackage="$2" -p:CoLMVersion="$version" \
        -p:TorchSharpVersion="$torch_version" -p:RestoreAdditionalProjectSources="$work/feed" "${@:3}"
}

{ read -r version; read -r torch_version; } < <(dotnet msbuild "$library" -getProperty:Version,TorchSharpVersion |
    sed -nE 's/.*"(Version|TorchSharpVersion)": "(.*)".*/\2/p')
version=$version-test.$(date +%s)

# What was public in the last version still is, where the package of that version is to be had.
last=$(git -C "$root" describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
if [[ $last ]] && dotnet package download "Microsoft.ML.CoLM@${last#v}" -o "$work/last"; then
    pack Microsoft.ML.CoLM -p:PackageValidationBaselinePath="$(echo "$work"/last/*/*/*.nupkg)"
else
    pack Microsoft.ML.CoLM
fi
pack Contoso.ML.CoLM --no-build

# A program without libtorch brings the library's dependencies alone.
build no-libtorch Microsoft.ML.CoLM -p:Libtorch=none -p:UseCurrentRuntimeIdentifier=true -p:MSBuildTreatWarningsAsErrors=false |
    tee "$work/no-libtorch.log"
has "$work/no-libtorch.log" COLM0001 "A program without libtorch must be warned of."
if "$work/no-libtorch/bin/Release/net10.0"/*/PackageTest "$model" "$zip" 2>"$work/error"; then
    fail "A program without libtorch must fail."
fi
has "$work/error" "could not be loaded. Add the NuGet package TorchSharp-cpu $torch_version" \
    "Who has no libtorch must be told first to add it."

package=$work/packages/microsoft.ml.colm/$version
nuspec=$package/microsoft.ml.colm.nuspec
for dependency in Microsoft.ML TorchSharp; do
    has "$nuspec" "<dependency id=\"$dependency\" version=\"\[" "The package must demand the exact version of $dependency."
done
for entry in readme:PACKAGE.md icon:icon.png; do
    has "$nuspec" "<${entry%:*}>${entry#*:}</${entry%:*}>" "The package must have a ${entry%:*}."
    [[ -s $package/${entry#*:} ]] || fail "The package lacks ${entry#*:}."
done
for dependency in "$work"/packages/*/; do
    dependency=$(basename "$dependency")
    [[ $dependency == microsoft.ml.colm ]] || grep -qi "^  ${dependency//./\\.} " "$package/THIRD-PARTY-NOTICES.txt" ||
        fail "THIRD-PARTY-NOTICES.txt lacks $dependency."
done
# Git's remote is an address of the same host and path, if in another form.
address=$(sed -nE 's/.*<repository .*url="https?:\/\/([^"]*)".*/\1/p' "$nuspec" | tr : /)
remote=$(git -C "$root" remote get-url origin 2>/dev/null | tr : /) || true
[[ $address != *@* && $remote == *"${address%%/*}"* && $remote == *"${address#*/}" ]] ||
    fail "The package names a repository, $address, that is not git's remote."

# Under another name all else is the same.
build renamed Contoso.ML.CoLM -t:PrepareForBuild -p:MSBuildTreatWarningsAsErrors=false | tee "$work/renamed.log"
has "$work/renamed.log" COLM0002 "A program without RuntimeIdentifier must be warned of."

build program Microsoft.ML.CoLM -p:UseCurrentRuntimeIdentifier=true
"$work/program/bin/Release/net10.0"/*/PackageTest "$model" "$zip"
