using System;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Copies an assembly of ML.NET to compile against, in which what was internal is public, and what was private
/// protected is protected. Nothing else changes: private members would only bring clashes of names, and a protected
/// one made public would change how it is overridden. Types outside Microsoft.ML stay as well: they are the compiler's
/// and stand-ins for types of newer frameworks.
/// </summary>
public sealed class MakeInternalsPublic : Task
{
    // Tables of ECMA-335, II.22, as far as they come before the last one wanted.
    private const int Module = 0, TypeRef = 1, TypeDef = 2, FieldPointer = 3, Field = 4, MethodPointer = 5, Method = 6;
    private const int Parameter = 8, ModuleRef = 0x1a, TypeSpec = 0x1b, AssemblyRef = 0x23, TableCount = 64;

    private byte[] _file;

    [Required]
    public ITaskItem[] Sources { get; set; }

    [Required]
    public string Folder { get; set; }

    public override bool Execute()
    {
        Directory.CreateDirectory(Folder);
        foreach (var source in Sources.Select(item => item.ItemSpec))
        {
            _file = File.ReadAllBytes(source);
            MakePublic();
            File.WriteAllBytes(Path.Combine(Folder, Path.GetFileName(source)), _file);
        }
        return true;
    }

    private void MakePublic()
    {
        var metadata = MetadataOffset();
        int tables = 0, strings = 0;
        var stream = metadata + 16 + Int32(metadata + 12); // after the version's text
        for (int i = UInt16(stream + 2), header = stream + 4; i > 0; i--)
        {
            var name = Text(header + 8);
            if (name == "#~")
                tables = metadata + Int32(header);
            else if (name == "#Strings")
                strings = metadata + Int32(header);
            header += 8 + (name.Length / 4 + 1) * 4;
        }

        var rows = new int[TableCount];
        var present = BitConverter.ToUInt64(_file, tables + 8);
        var at = tables + 24;
        for (var table = 0; table < TableCount; table++)
        {
            if ((present >> table & 1) == 0)
                continue;
            rows[table] = Int32(at);
            at += 4;
        }

        int heaps = _file[tables + 6];
        int text = (heaps & 1) != 0 ? 4 : 2, guid = (heaps & 2) != 0 ? 4 : 2, blob = (heaps & 4) != 0 ? 4 : 2;
        int Index(int tagBits, params int[] targets) => targets.Max(t => rows[t]) < 1 << (16 - tagBits) ? 2 : 4;

        var sizes = new int[Method + 1];
        sizes[Module] = 2 + text + 3 * guid;
        sizes[TypeRef] = Index(2, Module, ModuleRef, AssemblyRef, TypeRef) + 2 * text;
        var fieldList = Index(0, rows[FieldPointer] > 0 ? FieldPointer : Field);
        var methodList = Index(0, rows[MethodPointer] > 0 ? MethodPointer : Method);
        sizes[TypeDef] = 4 + 2 * text + Index(2, TypeDef, TypeRef, TypeSpec) + fieldList + methodList;
        sizes[FieldPointer] = Index(0, Field);
        sizes[Field] = 2 + text + blob;
        sizes[MethodPointer] = Index(0, Method);
        sizes[Method] = 8 + text + blob + Index(0, Parameter);

        for (var table = Module; table <= Method; at += rows[table] * sizes[table], table++)
        {
            for (int row = 0, offset = at; row < rows[table]; row++, offset += sizes[table])
            {
                if (table == TypeDef)
                {
                    var space = Text(strings + (text == 4 ? Int32(offset + 8) : UInt16(offset + 6)));
                    // Not public (0) becomes public (1); nested: internal (5) and private protected (6) public (2).
                    SetVisibility(offset, v => v == 0 && IsMLNet(space) ? 1 : v == 5 || v == 6 ? 2 : v);
                }
                else if (table == Field || table == Method)
                {
                    // Internal (3) becomes public (6), private protected (2) protected (4).
                    SetVisibility(offset + (table == Method ? 6 : 0), v => v == 3 ? 6 : v == 2 ? 4 : v);
                }
            }
        }
    }

    private static bool IsMLNet(string space) =>
        space == "Microsoft.ML" || space.StartsWith("Microsoft.ML.", StringComparison.Ordinal);

    private void SetVisibility(int offset, Func<int, int> change) =>
        _file[offset] = (byte)(_file[offset] & ~7 | change(_file[offset] & 7));

    /// <summary>Where the metadata begins: PE header, CLI header, metadata root.</summary>
    private int MetadataOffset()
    {
        var header = Int32(0x3c) + 4;
        var optional = header + 20;
        var directories = optional + (UInt16(optional) == 0x20b ? 112 : 96); // PE32+ or PE32
        int sectionCount = UInt16(header + 2), sections = optional + UInt16(header + 16);
        return FileOffset(Int32(FileOffset(Int32(directories + 14 * 8)) + 8));

        int FileOffset(int address)
        {
            for (int i = 0, section = sections; i < sectionCount; i++, section += 40)
            {
                var start = Int32(section + 12);
                if (address >= start && address < start + Int32(section + 16))
                    return address - start + Int32(section + 20);
            }
            throw new BadImageFormatException("An address lies outside the assembly's sections.");
        }
    }

    private string Text(int offset) =>
        Encoding.UTF8.GetString(_file, offset, Array.IndexOf(_file, (byte)0, offset) - offset);

    private int UInt16(int offset) => BitConverter.ToUInt16(_file, offset);

    private int Int32(int offset) => BitConverter.ToInt32(_file, offset);
}
