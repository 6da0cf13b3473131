namespace ForgettingStudy;

/// <summary>
/// The rows to tune on, to choose settings by and to judge by, none of which says anything of another set's.
/// </summary>
/// <param name="Train">The training file's rows that are part of no validation row.</param>
/// <param name="Validation">The validation file's rows that are part of no training row.</param>
/// <param name="Judge">The judge's rows, which no training row contains.</param>
/// <param name="Overlap">What was found and left out.</param>
internal sealed record SentenceSets(Sentence[] Train, Sentence[] Validation, Sentence[] Judge, Overlap Overlap)
{
    /// <summary>Reads the files, and cuts them so that no row is judged that was trained on.</summary>
    /// <param name="files">Where they are.</param>
    /// <param name="leavesOutOverlap">Whether training rows that contain judged rows are left out, instead of refused.</param>
    /// <exception cref="InvalidDataException">
    /// Training rows contain judged ones, or all validation rows; or a file has no rows, or others.
    /// </exception>
    public static SentenceSets Read(InputFiles files, bool leavesOutOverlap)
    {
        var train = SentenceFile.Read(files.Train);
        var (validation, judge) = (SentenceFile.Read(files.Validation), SentenceFile.Read(files.Judge));
        var judged = new Phrases(judge);
        var known = judged.In(train);
        if (known.Count > 0 && !leavesOutOverlap)
        {
            throw new InvalidDataException(FormattableString.Invariant($"--judge {files.Judge}: expected rows that no row of ") +
                FormattableString.Invariant($"--train contains, found {known.Count}, for example '{known.First()}'. ") +
                "--leave-out-overlap leaves out the training rows that contain them.");
        }
        var kept = train.Where(row => !judged.AreIn(row)).ToArray();

        var seen = new Phrases(validation).In(kept);
        var unseen = validation.Where(row => !seen.Contains(Phrases.Plain(row.Text))).ToArray();
        if (unseen.Length == 0)
        {
            throw new InvalidDataException(
                $"{files.Validation}: expected rows that no row of {files.Train} contains, to choose by; found none.");
        }
        var parts = new Phrases(kept).In(unseen);
        var whole = kept.Where(row => !parts.Contains(Phrases.Plain(row.Text))).ToArray();
        return new(whole, unseen, judge, new Overlap(
            train.Length, train.Length - kept.Length, kept.Length - whole.Length, validation.Length,
            judge.Count(row => known.Contains(Phrases.Plain(row.Text))), PartsOf(judge, whole)));
    }

    private static int PartsOf(Sentence[] judge, Sentence[] train)
    {
        var parts = new Phrases(train).In(judge);
        return train.Count(row => parts.Contains(Phrases.Plain(row.Text)));
    }
}
