import Foundation
import TestSupport
import Testing

@testable import Models

/// Choices of tokens beside the frequencies that they should have.
@Suite struct SamplerTests {
    private static let probabilities = [0.02, 0.4, 0.05, 0.3, 0.08, 0.15]
    private static let logits = probabilities.map { Float(log($0)) + 3 }

    /// How often each token is chosen in 4,000 draws.
    private static func frequencies(_ options: SamplingOptions) -> [Double] {
        var sampler = Sampler(options, prompt: [], stream: 0)
        var counts = [Double](repeating: 0, count: logits.count)
        for _ in 0..<4000 { counts[sampler.choose(logits[...])] += 1 / 4000 }
        return counts
    }

    private static func expect(
        _ options: SamplingOptions,
        _ expected: [Double],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let total = expected.reduce(0, +)
        for (found, expected) in zip(frequencies(options), expected) {
            // Four deviations of a frequency of 4,000.
            let bound = expected == 0 ? 0 : 0.032
            #expect((found - expected / total).magnitude <= bound, sourceLocation: sourceLocation)
        }
    }

    @Test func tokensComeAsOftenAsTheyAreProbable() {
        Self.expect(SamplingOptions(temperature: 1), Self.probabilities)
        Self.expect(SamplingOptions(temperature: 0.5), Self.probabilities.map { $0 * $0 })
        Self.expect(SamplingOptions(temperature: 1, topK: 2), [0, 0.4, 0, 0.3, 0, 0])
        // The token that completes the probability belongs to it.
        Self.expect(SamplingOptions(temperature: 1, topP: 0.5), [0, 0.4, 0, 0.3, 0, 0])
        Self.expect(SamplingOptions(temperature: 1, topP: 0.71), [0, 0.4, 0, 0.3, 0, 0.15])
        // Of the three that are left the first two have more than 0.8.
        Self.expect(SamplingOptions(temperature: 1, topK: 3, topP: 0.8), [0, 0.4, 0, 0.3, 0, 0])
        Self.expect(SamplingOptions(temperature: 1, topK: 9, topP: 0.99), Self.probabilities)
        Self.expect(SamplingOptions(temperature: 1, minP: 0.3), [0, 0.4, 0, 0.3, 0, 0.15])
        Self.expect(SamplingOptions(), [0, 1, 0, 0, 0, 0])
    }

    @Test func whatOccurredIsLessProbable() {
        var sampler = Sampler(SamplingOptions(repetitionPenalty: 1.6), prompt: [1], stream: 0)
        let chosen = (0..<3).map { _ in sampler.choose(Self.logits[...]) }
        #expect(chosen == [3, 1, 1])
    }

    @Test func theFirstOfEqualOnesIsTaken() {
        var sampler = Sampler(SamplingOptions(), prompt: [], stream: 0)
        #expect(sampler.choose([1, 5, 5, 2][...]) == 1)
    }

    @Test func stopTextsAreHeldBackUntilTheyAreNone() {
        var filter = StopTextFilter(["STOP", "END."])
        #expect(filter.append("a S") == "a ")
        #expect(filter.append("T") == "")
        #expect(filter.append("x EN") == "STx ")
        #expect(filter.finish() == "EN")
        #expect(!filter.hasStopped)
        #expect(filter.append("one STOP two") == "one ")
        #expect(filter.hasStopped)
    }
}
