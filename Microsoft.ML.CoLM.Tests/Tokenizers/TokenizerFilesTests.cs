using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class TokenizerFilesTests
{
    private static readonly byte[] Json = ByteTokenizer.CreateFiles().Files[0].Value;

    [TestMethod]
    public void AFolderThatIsMissingIsNamed()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.ThrowsExactly<DirectoryNotFoundException>(() => CoLMTokenizer.Load(folder["nowhere"]));
        Assert.Contains(folder["nowhere"], error.Message);
        Assert.IsNull(TokenizerFiles.TryRead(folder["nowhere"]));
    }

    [TestMethod]
    public void AFolderWithoutATokenizerIsNamedWithTheFilesLookedFor()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer_config.json"], "{}");
        Assert.IsNull(TokenizerFiles.TryRead(folder.Path));
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => CoLMTokenizer.Load(folder.Path));
        Assert.Contains(folder.Path, error.Message);
        Assert.Contains("tokenizer.model", error.Message);
        Assert.Contains("tokenizer.json", error.Message);
    }

    [TestMethod]
    public void FilesAreKeptByteForByte()
    {
        using var folder = new TemporaryFolder();
        byte[] config = "{ \"add_bos_token\" : true }\r\n"u8.ToArray();
        File.WriteAllBytes(folder["tokenizer.json"], Json);
        File.WriteAllBytes(folder["tokenizer_config.json"], config);
        File.WriteAllText(folder["config.json"], "{}");

        TokenizerFiles files = TokenizerFiles.Read(folder.Path);
        var copy = new TokenizerFiles(files.Files);

        CollectionAssert.AreEqual(
            (string[])["tokenizer.json", "tokenizer_config.json"], copy.Files.Select(file => file.Key).ToArray());
        CollectionAssert.AreEqual(Json, copy.Files[0].Value);
        CollectionAssert.AreEqual(config, copy.Files[1].Value);
        CollectionAssert.AreEqual((int[])[256, 'a'], copy.CreateTokenizer().EncodeToIds("a").ToArray());
    }

    [TestMethod]
    public void ADescriptionInJsonComesBeforeASentencePieceModel()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.json"], Json);
        File.WriteAllText(folder["tokenizer.model"], "not looked at");
        CollectionAssert.AreEqual((int[])[256, 'a'], CoLMTokenizer.Load(folder.Path).EncodeToIds("a").ToArray());
        Assert.HasCount(2, TokenizerFiles.Read(folder.Path).Files);
    }

    [TestMethod]
    public void AFileOfAFolderIsRefusedWithItsPath()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], "{}");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMTokenizer.Load(folder.Path));
        Assert.StartsWith(folder["tokenizer.json"], error.Message);
    }

    [TestMethod]
    public void AFileTooLargeForATokenizerIsRefusedUnread()
    {
        using var folder = new TemporaryFolder();
        using (FileStream file = File.Create(folder["tokenizer.model"]))
            file.SetLength((512L << 20) + 1);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFiles.TryRead(folder.Path));
        Assert.Contains(folder["tokenizer.model"], error.Message);
        Assert.Contains("536870913", error.Message);
    }

    [TestMethod]
    public void AListWithoutATokenizerOrWithAnotherFileIsRefused()
    {
        var none = Assert.ThrowsExactly<InvalidDataException>(
            () => new TokenizerFiles([new("tokenizer_config.json", [])]));
        Assert.Contains("tokenizer.model", none.Message);
        var other = Assert.ThrowsExactly<InvalidDataException>(
            () => new TokenizerFiles([new("tokenizer.json", Json), new("vocab.txt", [])]));
        Assert.Contains("vocab.txt", other.Message);
    }
}
