using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

[TestClass, DoNotParallelize]
public sealed class RotaryEmbeddingTests
{
    [TestMethod]
    public void WavelengthsGrowFromOneRadianATokenToTheBase()
    {
        var frequencies = new RotaryEmbedding(Config(headWidth: 8, theta: 10000, scaling: null)).InverseFrequencies;
        float[] expected = [1, 0.1f, 0.01f, 0.001f];
        Assert.HasCount(4, frequencies);
        for (var pair = 0; pair < 4; pair++)
            Assert.AreEqual(expected[pair], frequencies[pair], 1e-7f * expected[pair]);
    }

    // LLaMA 3.2's own settings: context 8192, stretched 32 times. A wavelength below 8192 / 4 is kept, one above
    // 8192 / 1 is stretched in full, those between are blended.
    [TestMethod]
    public void TheScalingOfLlama3KeepsShortWavelengthsAndStretchesLongOnes()
    {
        var plain = new RotaryEmbedding(Config(64, 500000, null)).InverseFrequencies;
        var scaled = new RotaryEmbedding(Config(64, 500000, new Llama3RopeScaling(32, 1, 4, 8192))).InverseFrequencies;
        int kept = 0, blended = 0, stretched = 0;
        for (var pair = 0; pair < 32; pair++)
        {
            var wavelength = 2 * Math.PI / plain[pair];
            if (wavelength < 2048)
            {
                kept++;
                Assert.AreEqual(plain[pair], scaled[pair], $"pair {pair}");
            }
            else if (wavelength > 8192)
            {
                stretched++;
                Assert.AreEqual(plain[pair] / 32, scaled[pair], 1e-7f * plain[pair], $"pair {pair}");
            }
            else
            {
                blended++;
                Assert.IsLessThan(plain[pair], scaled[pair], $"pair {pair}");
                Assert.IsGreaterThan(plain[pair] / 32, scaled[pair], $"pair {pair}");
            }
        }
        Assert.AreEqual((15, 3, 14), (kept, blended, stretched));
    }

    [TestMethod]
    public void AnglesFromAPositionOnAreThoseOfAllPositions()
    {
        using var scope = NewDisposeScope();
        var rotary = new RotaryEmbedding(Config(8, 10000, null));
        var (cosine, sine) = rotary.Angles(0, 40, CPU, float32);
        var (laterCosine, laterSine) = rotary.Angles(17, 5, CPU, float32);
        TensorAssert.SameBits(cosine.narrow(0, 17, 5), laterCosine);
        TensorAssert.SameBits(sine.narrow(0, 17, 5), laterSine);
    }

    [TestMethod]
    public void AnglesOfABFloat16ModelAreComputedInFloat32AndThenRounded()
    {
        using var scope = NewDisposeScope();
        var rotary = new RotaryEmbedding(Config(8, 10000, null));
        var (cosine, sine) = rotary.Angles(1000, 40, CPU, float32);
        var (roundedCosine, roundedSine) = rotary.Angles(1000, 40, CPU, bfloat16);
        TensorAssert.SameBits(cosine.to(bfloat16), roundedCosine);
        TensorAssert.SameBits(sine.to(bfloat16), roundedSine);
    }

    private static CoLMConfig Config(int headWidth, double theta, RopeScaling? scaling) =>
        TestModels.Config() with { HeadDimension = headWidth, RopeTheta = theta, RopeScaling = scaling };
}
