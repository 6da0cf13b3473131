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

    private readonly CoLMModel _model;
    private readonly int _chainCount;
    private readonly IReadOnlyList<int[]> _examples;
    private readonly Action<string> _warn;
    private readonly FrozenSite[] _sites;
    private readonly long[] _starts; // of each site, in numbers of a token
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
    public FrozenFeatures(
        CoLMModel model, int chainCount, IReadOnlyList<int[]> examples, FrozenFeatureBudget budget, Action<string> warn)
    {
        (_model, _chainCount, _examples, _warn) = (model, chainCount, examples, warn);
        _sites = FrozenSite.Of(model.Config, chainCount);
        _starts = new long[_sites.Length];
        for (var site = 1; site < _sites.Length; site++)
            _starts[site] = _starts[site - 1] + (long)_sites[site - 1].Groups * _sites[site - 1].Width;
        _elementSize = (int)model.DataType.ElementSize();
        int[] order = [.. Enumerable.Range(0, examples.Count).OrderBy(example => examples[example].Length)];
        var longest = order.Length == 0 ? 0 : Size(order[^1]);
        _buffer = new SpillBuffer(Math.Max(budget.BlockBytes, longest), budget.MemoryBytes, budget.DiskBytes);
        _places = new (int, long)?[examples.Count];
        _groups = new int[examples.Count];
        Place(order);
        Group(order);
    }

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
        return Array.TrueForAll(examples, IsThere)
            ? Assemble(examples, batch.Length)
            : _model.Prefix(batch.TokenIds(_model.Device), _chainCount, withLogits: false);
    }

    public void Dispose() => _buffer.Dispose();

    private long Size(int example) =>
        (long)_examples[example].Length * _sites.Sum(site => (long)site.Groups * site.Width) * _elementSize;

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
        for (var done = 0; done < order.Length;)
        {
            var count = 1;
            while (done + count < order.Length &&
                (count + 1L) * _examples[order[done + count]].Length <= TokensOfGroup)
            {
                count++;
            }
            foreach (var example in order.AsSpan(done, count))
                _groups[example] = _examplesOfGroup.Count;
            _examplesOfGroup.Add(order[done..(done + count)]);
            done += count;
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
        using var features = _model.Prefix(batch.TokenIds(_model.Device), _chainCount, withLogits: false);
        foreach (var (site, start) in _sites.Zip(_starts))
        {
            using var tensor = site.In(features).detach().cpu().contiguous();
            var numbers = tensor.bytes;
            for (var i = 0; i < examples.Length; i++)
            {
                foreach (var (there, here) in Runs(site, examples[i], i, batch.Length, start))
                    numbers.Slice(there.Start, there.Length).CopyTo(Bytes(examples[i], here, there.Length));
            }
        }
    }

    private ChainFeatures Assemble(int[] examples, int length)
    {
        var tensors = Array.ConvertAll(
            _sites, site => empty(site.Shape(examples.Length, length), dtype: _model.DataType));
        Parallel.For(0, _sites.Length, site => Fill(tensors[site], _sites[site], examples, length, _starts[site]));
        var features = new ChainFeatures(_model.Config.LayerCount);
        for (var site = 0; site < _sites.Length; site++)
            _sites[site].Keep(features, tensors[site].to(_model.Device));
        return features;
    }

    private void Fill(Tensor tensor, FrozenSite site, int[] examples, int length, long start)
    {
        var numbers = tensor.bytes;
        for (var i = 0; i < examples.Length; i++)
        {
            foreach (var (there, here) in Runs(site, examples[i], i, length, start))
            {
                Bytes(examples[i], here, there.Length).CopyTo(numbers.Slice(there.Start, there.Length));
                // Padding is never looked at, but its numbers must be some.
                numbers.Slice(there.Start + there.Length, length * site.Width * _elementSize - there.Length).Clear();
            }
        }
    }

    /// <summary>Where a site's numbers of an example lie: in the batch's tensor, and among the example's own bytes.</summary>
    private IEnumerable<((int Start, int Length) There, long Here)> Runs(
        FrozenSite site, int example, int index, int length, long start)
    {
        var tokens = _examples[example].Length;
        var bytes = tokens * site.Width * _elementSize;
        for (var group = 0; group < site.Groups; group++)
        {
            yield return (((index * site.Groups + group) * length * site.Width * _elementSize, bytes),
                (start + (long)group * site.Width) * tokens * _elementSize);
        }
    }

    private Span<byte> Bytes(int example, long start, int length)
    {
        var (block, first) = _places[example]!.Value;
        return _buffer.Bytes(block, first + start, length);
    }
}
