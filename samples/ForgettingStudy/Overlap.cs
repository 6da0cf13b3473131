namespace ForgettingStudy;

/// <summary>What the files have in common.</summary>
/// <param name="TrainRows">Rows of the training file.</param>
/// <param name="ContainJudged">Training rows that were left out since they contain a judged row.</param>
/// <param name="PartsOfValidation">Training rows that were left out since they are part of a validation row that is used.</param>
/// <param name="ValidationRows">Rows of the validation file; those that training rows contain are not used.</param>
/// <param name="JudgedInTrain">Judged rows that training rows contained.</param>
/// <param name="PartsOfJudged">
/// Training rows, of those that are left, that are part of a judged row: words and short phrases, which every text has.
/// </param>
internal sealed record Overlap(
    int TrainRows, int ContainJudged, int PartsOfValidation, int ValidationRows, int JudgedInTrain, int PartsOfJudged);
