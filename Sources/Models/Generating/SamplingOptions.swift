/// How the next token is chosen among all.
///
/// In the order of transformers: logits of tokens that occurred are lowered, all are divided by the
/// temperature, then the candidates are cut by number, by probability together, and by probability each.
public struct SamplingOptions: Sendable, Hashable {
    /// Divides logits; 0 takes the most probable token always.
    public var temperature: Float
    /// Keeps so many of the most probable tokens; nil keeps all.
    public var topK: Int?
    /// Keeps the most probable tokens that together have this probability (Holtzman and others 2020).
    public var topP: Float
    /// Keeps tokens with this part of the probability of the most probable one (Nguyen and others 2024).
    public var minP: Float
    /// Divides positive logits of tokens that occurred, and multiplies negative ones (Keskar and others
    /// 2019).
    public var repetitionPenalty: Float
    /// What random choices depend on.
    public var seed: UInt64

    /// Makes options; by default the most probable token is taken.
    public init(
        temperature: Float = 0,
        topK: Int? = nil,
        topP: Float = 1,
        minP: Float = 0,
        repetitionPenalty: Float = 1,
        seed: UInt64 = 0
    ) {
        precondition(
            temperature >= 0 && (topK ?? 1) > 0 && topP > 0 && minP >= 0 && minP <= 1
                && repetitionPenalty > 0,
            "sampling with temperature \(temperature), top-p \(topP), min-p \(minP)"
        )
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
    }
}
