using ScottPlot;

namespace Samples;

/// <summary>Finds places for labels beside their points, in pixels, where they cover neither each other nor points.</summary>
/// <param name="area">Where labels may be.</param>
/// <param name="markers">The points.</param>
/// <param name="lines">What labels had better not cover.</param>
internal sealed class LabelPlacer(PixelRect area, IReadOnlyList<Pixel> markers, IReadOnlyList<(Pixel From, Pixel To)> lines)
{
    // From here on, a line leads from the point to its label.
    public const float LeaderDistance = 16;

    private const float MarkerRadius = 7;
    private const float Gap = 3;
    private const int Directions = 16;

    // Pixels that a label goes farther away, so as not to cover a line.
    private const float LineCost = 40;

    private static readonly float[] Distances = [9, 15, 24, 36, 50, 68, 90, 116, 146, 180, 220, 270, 330];

    private readonly List<PixelRect> _taken = [];
    private readonly List<(Pixel From, Pixel To)> _leaders = [];

    /// <summary>Keeps labels away from something.</summary>
    public void Take(PixelRect rect) => _taken.Add(rect);

    /// <summary>A place for a label; null where there is none.</summary>
    public PixelRect? Place(Pixel point, float width, float height)
    {
        // Lines that cross are better than no label.
        var place = Cheapest(point, width, height, mayCross: false) ?? Cheapest(point, width, height, mayCross: true);
        if (place is not { } found)
            return null;
        _taken.Add(found);
        if (IsLed(point, found))
            _leaders.Add(Leader(point, found));
        return found;
    }

    private PixelRect? Cheapest(Pixel point, float width, float height, bool mayCross)
    {
        PixelRect? best = null;
        var leastCost = float.PositiveInfinity;
        foreach (var distance in Distances)
        {
            for (var direction = 0; direction < Directions && distance < leastCost; direction++)
            {
                var (sine, cosine) = MathF.SinCos(2 * MathF.PI * direction / Directions);
                var rect = Around(new(point.X + cosine * (distance + width / 2), point.Y - sine * (distance + height / 2)),
                    width, height);
                var cost = distance + LineCost * lines.Count(line => Crosses(line, rect));
                if (cost < leastCost && IsFree(rect) && (!IsLed(point, rect) || IsClear(Leader(point, rect), point, mayCross)))
                    (best, leastCost) = (rect, cost);
            }
        }
        return best;
    }

    /// <summary>Whether a label is so far from its point that a line leads to it.</summary>
    public static bool IsLed(Pixel point, PixelRect label)
    {
        var (from, to) = Leader(point, label);
        return MathF.Sqrt((to.X - from.X) * (to.X - from.X) + (to.Y - from.Y) * (to.Y - from.Y)) > LeaderDistance;
    }

    /// <summary>The line from a point to the nearest point of its label.</summary>
    public static (Pixel From, Pixel To) Leader(Pixel point, PixelRect label) => (point,
        new(Math.Clamp(point.X, label.Left, label.Right), Math.Clamp(point.Y, label.Top, label.Bottom)));

    private bool IsFree(PixelRect rect)
    {
        var wide = Grown(rect, Gap);
        return wide.Left > area.Left && wide.Right < area.Right && wide.Top > area.Top && wide.Bottom < area.Bottom &&
            !_taken.Exists(taken => Overlap(taken, wide)) && !_leaders.Exists(leader => Crosses(leader, wide)) &&
            !markers.Any(marker => Overlap(Around(marker, 2 * MarkerRadius, 2 * MarkerRadius), rect));
    }

    private bool IsClear((Pixel From, Pixel To) leader, Pixel point, bool mayCross) =>
        !_taken.Exists(taken => Crosses(leader, Grown(taken, 1))) &&
        (mayCross || (!_leaders.Exists(other => Meet(other, leader)) &&
            !markers.Any(marker => marker != point && Crosses(leader, Around(marker, MarkerRadius, MarkerRadius)))));

    private static PixelRect Around(Pixel center, float width, float height) =>
        new(center.X - width / 2, center.X + width / 2, center.Y + height / 2, center.Y - height / 2);

    private static PixelRect Grown(PixelRect rect, float by) =>
        new(rect.Left - by, rect.Right + by, rect.Bottom + by, rect.Top - by);

    private static bool Overlap(PixelRect one, PixelRect two) =>
        one.Left < two.Right && two.Left < one.Right && one.Top < two.Bottom && two.Top < one.Bottom;

    /// <summary>Whether a line has a part within a rectangle (Liang and Barsky 1984).</summary>
    private static bool Crosses((Pixel From, Pixel To) line, PixelRect rect)
    {
        var (first, last) = (0f, 1f);
        bool Clip(float start, float step, float low, float high)
        {
            if (step == 0)
                return start > low && start < high;
            var (one, two) = ((low - start) / step, (high - start) / step);
            (first, last) = (Math.Max(first, Math.Min(one, two)), Math.Min(last, Math.Max(one, two)));
            return first < last;
        }
        return Clip(line.From.X, line.To.X - line.From.X, rect.Left, rect.Right) &&
            Clip(line.From.Y, line.To.Y - line.From.Y, rect.Top, rect.Bottom);
    }

    private static bool Meet((Pixel From, Pixel To) one, (Pixel From, Pixel To) two) =>
        Side(one, two.From) * Side(one, two.To) < 0 && Side(two, one.From) * Side(two, one.To) < 0;

    private static float Side((Pixel From, Pixel To) line, Pixel point) =>
        (line.To.X - line.From.X) * (point.Y - line.From.Y) - (line.To.Y - line.From.Y) * (point.X - line.From.X);
}
