using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// What the frozen chains compute of a data set's examples, computed once and kept: nothing that is trained changes it,
/// so later epochs run the tuned chains alone.
/// </summary>
/// <remarks>
/// Examples of like length are computed together, in groups that do not depend on the order of training: whatever is asked
/// for first, kept features have the same bits. Which examples are kept is settled beforehand, shortest first, until the
/// budgets are used up; the others are computed with their batch each time.
/// </remarks>
internal sealed class FrozenFeatures : IDisposable
{
    // With their padding: bounds memory.
    private const int TokensOfGroup = 8192;

    private readonly long _tokensOfGroup;

    private readonly CoLMModel _model;
    private readonly int _chainCount;
    private readonly IReadOnlyList<int[]> _examples;
    private readonly Action<string> _warn;
    private readonly FrozenSite[] _sites;
    private readonly (long OfToken, long Fixed)[] _starts; // of each site: numbers before it, for each token and at all
    private readonly bool _ofLast;
    private readonly int _elementSize;
    private readonly SpillBuffer _buffer;
    private readonly (int Block, long Start)?[] _places;
    private readonly int[] _groups;
    private readonly List<int[]> _examplesOfGroup = [];
    private readonly HashSet<int> _computed = [];

    /// <param name="model">The model.</param>
    /// <param name="chainCount">How many chains are frozen, at least 1.</param>
    /// <param name="examples">Token ids of each example.</param>
    /// <param name="budget">How much may be kept.</param>
    /// <param name="warn">Told where less can be kept than the budget allows.</param>
    /// <param name="ofLast">Whether later chains are computed at the last token of each example alone.</param>
    public FrozenFeatures(
        CoLMModel model, int chainCount, IReadOnlyList<int[]> examples, FrozenFeatureBudget budget, Action<string> warn,
        bool ofLast = false)
    {
        (_model, _chainCount, _examples, _ofLast, _warn) = (model, chainCount, examples, ofLast, warn);
        _sites = FrozenSite.Of(model.Config, chainCount, ofLast);
        _starts = new (long, long)[_sites.Length];
        for (var i = 1; i < _sites.Length; i++)
        {
            var (before, width) = (_starts[i - 1], (long)_sites[i - 1].Groups * _sites[i - 1].Width);
            _starts[i] = _sites[i - 1].IsOfLast
                ? before with { Fixed = before.Fixed + width }
                : before with { OfToken = before.OfToken + width };
        }
        _elementSize = (int)model.DataType.ElementSize();
        _tokensOfGroup = TokensAtOnce(_sites, _elementSize);
        int[] order = [.. Enumerable.Range(0, examples.Count).OrderBy(example => examples[example].Length)];
        var longest = order.Length == 0 ? 0 : Size(order[^1]);
        var block = Math.Min(budget.BlockBytes, order.Sum(Size));
        if (budget.MemoryBytes > 0)
            block = Math.Min(block, budget.MemoryBytes);
        _buffer = new SpillBuffer(
            Math.Max(Math.Max(block, longest), 1), budget.MemoryBytes, budget.DiskBytes, budget.Folder);
        _places = new (int, long)?[examples.Count];
        _groups = new int[examples.Count];
        Place(order);
        Group(order);
    }

    /// <summary>All examples.</summary>
    public int ExampleCount => _examples.Count;

    /// <summary>Examples that are kept once they are computed.</summary>
    public int KeptExamples => _places.Count(place => place is not null);

    /// <summary>Examples that were computed for a group.</summary>
    public long ComputedExamples => _computed.Sum(group => (long)_examplesOfGroup[group].Length);

    /// <summary>The frozen chains' features of a batch, without logits.</summary>
    /// <param name="examples">Which examples.</param>
    /// <param name="batch">The same, padded.</param>
    public ChainFeatures Of(int[] examples, PaddedBatch batch)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        return FitsSpans(batch) && Array.TrueForAll(examples, IsThere)
            ? Assemble(examples, batch.Length)
            : Computed(batch);
    }

    public void Dispose() => _buffer.Dispose();

    /// <summary>Tokens that examples may be computed together for: so many that every site's bytes fit a span.</summary>
    internal static long TokensAtOnce(IEnumerable<FrozenSite> sites, int elementSize) =>
        Math.Min(TokensOfGroup, int.MaxValue / sites.Max(site => (long)site.Groups * site.Width * elementSize));

    // The bytes of a tensor on the CPU are addressed by Int32.
    private bool FitsSpans(PaddedBatch batch) => Array.TrueForAll(_sites, site =>
        site.Shape(batch.Count, batch.Length).Aggregate((long)_elementSize, (product, size) => product * size) <= int.MaxValue);

    private long Size(int example) =>
        _sites.Sum(site => (long)site.Tokens(_examples[example].Length) * site.Groups * site.Width) * _elementSize;

    private void Place(int[] order)
    {
        var (block, start) = (0, 0L);
        foreach (var example in order)
        {
            var size = Size(example);
            if (start + size > _buffer.BlockLength)
                (block, start) = (block + 1, 0);
            if (block >= _buffer.BlockCount || size > int.MaxValue)
                return;
            _places[example] = (block, start);
            start += size;
        }
    }

    private void Group(int[] order)
    {
        foreach (var group in TokenBatches.Of(order, example => _examples[example].Length, _tokensOfGroup))
        {
            foreach (var example in group)
                _groups[example] = _examplesOfGroup.Count;
            _examplesOfGroup.Add(group);
        }
    }

    private bool IsThere(int example)
    {
        var group = _groups[example];
        if (_places[example] is not null && _computed.Add(group))
            Compute([.. _examplesOfGroup[group].Where(member => _places[member] is not null)]);
        return _places[example] is not null;
    }

    private void Compute(int[] examples)
    {
        try
        {
            foreach (var example in examples)
                _ = Bytes(example, 0, 0);
        }
        catch (Exception e) when (e is IOException or OutOfMemoryException or UnauthorizedAccessException)
        {
            _warn($"Features of frozen chains could not be kept and will be computed in every epoch: {e.Message}");
            for (var example = 0; example < _places.Length; example++)
            {
                if (!_computed.Contains(_groups[example]) || examples.Contains(example))
                    _places[example] = null;
            }
            return;
        }
        using var scope = NewDisposeScope();
        var batch = new PaddedBatch([.. examples.Select(example => _examples[example])]);
        using var features = Computed(batch);
        for (var site = 0; site < _sites.Length; site++)
        {
            using var tensor = _sites[site].In(features).detach().cpu().contiguous();
            var numbers = tensor.bytes;
            for (var i = 0; i < examples.Length; i++)
            {
                foreach (var (there, here) in Runs(site, examples[i], i, batch.Length))
                    numbers.Slice(there.Start, there.Length).CopyTo(Bytes(examples[i], here, there.Length));
            }
        }
    }

    private ChainFeatures Assemble(int[] examples, int length)
    {
        var tensors = Array.ConvertAll(
            _sites, site => empty(site.Shape(examples.Length, length), dtype: _model.DataType));
        ParallelWork.For(_sites.Length, site => Fill(tensors[site], site, examples, length));
        var features = new ChainFeatures(_model.Config.LayerCount);
        for (var site = 0; site < _sites.Length; site++)
            _sites[site].Keep(features, tensors[site].to(_model.Device));
        return features;
    }

    private void Fill(Tensor tensor, int site, int[] examples, int length)
    {
        var numbers = tensor.bytes;
        for (var i = 0; i < examples.Length; i++)
        {
            foreach (var (there, here) in Runs(site, examples[i], i, length))
            {
                Bytes(examples[i], here, there.Length).CopyTo(numbers.Slice(there.Start, there.Length));
                // Padding is never looked at, but its numbers must be some.
                numbers.Slice(there.Start + there.Length, there.Padding).Clear();
            }
        }
    }

    private ChainFeatures Computed(PaddedBatch batch)
    {
        using var noGradients = no_grad();
        using var rows = _ofLast ? batch.LastRows(_model.Device) : null;
        using var ids = batch.TokenIds(_model.Device);
        return _model.Keep(ids, _chainCount, rows, batch.Lengths);
    }

    /// <summary>Where a site's numbers of an example lie: in the batch's tensor, and among the example's own bytes.</summary>
    private IEnumerable<((int Start, int Length, int Padding) There, long Here)> Runs(
        int index, int example, int place, int length)
    {
        var (site, all) = (_sites[index], _examples[example].Length);
        var (tokens, padded) = (site.Tokens(all), site.Tokens(length));
        var start = _starts[index].OfToken * all + _starts[index].Fixed;
        var run = site.Width * _elementSize;
        for (var group = 0; group < site.Groups; group++)
        {
            yield return (((place * site.Groups + group) * padded * run, tokens * run, (padded - tokens) * run),
                start * _elementSize + (long)group * tokens * run);
        }
    }

    private Span<byte> Bytes(int example, long start, int length)
    {
        var (block, first) = _places[example]!.Value;
        return _buffer.Bytes(block, first + start, length);
    }
}
