namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The columns that a row's choices come from.</summary>
/// <param name="Context">The text before the choices, or a vector of one for each.</param>
/// <param name="Choices">The choices, a vector of texts.</param>
internal sealed record ChoiceColumns(string Context, string Choices) : TextColumns(Context, Choices)
{
    /// <summary>The same columns of a zip.</summary>
    /// <exception cref="InvalidDataException">There is one column.</exception>
    public static ChoiceColumns Of(TextColumns columns) => new(columns.First, columns.Second ??
        throw new InvalidDataException($"The zip's column '{columns.First}' has no column of choices beside it."));

    protected override bool MayBe(string name, bool isVector) => isVector || name == Context;

    protected override string ExpectedType(string name) => name == Context ? "Text or a vector of Text" : "vector of Text";
}
