#!/usr/bin/env bash
# usage: build/package-test.sh MODEL_FOLDER MODEL_ZIP
# Packs the library and uses the package in a console project outside the repository: it scores a row with the model in
# the folder and with the one in the zip.
set -euo pipefail

[[ $# == 2 ]] || { sed -n 2p "$0" >&2; exit 2; }
model=$(realpath "$1")
zip=$(realpath "$2")
root=$(realpath "$(dirname "$0")/..")
library=$root/Microsoft.ML.CoLM

# A version of its own, so that NuGet takes this package and none that it remembers.
version=$(dotnet msbuild "$library" -getProperty:Version)-test.$(date +%s)
torch_version=$(dotnet msbuild "$library" -getProperty:TorchSharpVersion)
packages=$(dotnet nuget locals global-packages --list)
packages=${packages#*: }

work=$(mktemp -d)
trap 'rm -rf "$work" "${packages:?}/microsoft.ml.colm/$version"' EXIT

dotnet pack "$library" -c Release -o "$work/feed" -p:PackageVersion="$version"
for dependency in Microsoft.ML TorchSharp; do
    grep -q "<dependency id=\"$dependency\" version=\"\[" "$library/obj/Release/Microsoft.ML.CoLM.$version.nuspec" ||
        { echo "The package must demand the exact version of $dependency." >&2; exit 1; }
done
cp -r "$root/build/PackageTest" "$work/program"
cd "$work/program"
dotnet build -c Release -p:CoLMVersion="$version" -p:TorchSharpVersion="$torch_version" \
    -p:RestoreAdditionalProjectSources="$work/feed"
bin/Release/net10.0/PackageTest "$model" "$zip"
