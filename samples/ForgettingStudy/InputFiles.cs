namespace ForgettingStudy;

/// <summary>Where the base and the texts are.</summary>
/// <param name="Model">The base's folder.</param>
/// <param name="StoriesTrain">Stories that the added chain is trained on.</param>
/// <param name="StoriesValidation">Stories that the loss is of.</param>
/// <param name="Train">Sentences to tune on.</param>
/// <param name="Validation">Sentences to choose settings by.</param>
/// <param name="Judge">Sentences that the accuracy is of.</param>
internal sealed record InputFiles(
    string Model, string StoriesTrain, string StoriesValidation, string Train, string Validation, string Judge);
