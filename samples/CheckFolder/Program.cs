// Says whether and how a model's folder loads, for bug reports: FOLDER
using System.CommandLine;
using CheckFolder;

var folder = new Argument<string>("folder") { Description = "a LLaMA or CoLM folder" };
var command = new RootCommand(
    "Says in one screen whether a model's folder loads, and how: layout, tokenizer, special tokens, memory, and which chains it can " +
    "grow by. Weights are not read, so it takes seconds whatever the model's size. Exit code 1 where the folder does not load.")
{
    folder,
};
command.SetAction(result => Report.Write(result.GetValue(folder)!));
return command.Parse(args).Invoke();
