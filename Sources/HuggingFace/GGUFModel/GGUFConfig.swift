internal import Containers
internal import Files

/// The numbers of a model as its GGUF file states them, each checked before anything uses it.
struct GGUFConfig {
    let file: GGUFFile
    let architecture: GGUFArchitecture
    let layerCount: Int
    let hiddenSize: Int
    let intermediateSize: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let headDimension: Int
    let vocabularySize: Int
    let contextLength: Int
    let normEpsilon: Double
    let ropeTheta: Double
    /// Channels of a head that are rotated.
    let rotaryDimension: Int
    let tiesWordEmbeddings: Bool
    private let tensorNames: [Name: Int]

    /// Reads and checks the numbers.
    /// - Throws: `gguf.missingKey`, `gguf.keyType`, `config.range` or `config.unsupported`, with
    ///   the key as the file has it.
    init(file: GGUFFile, architecture: GGUFArchitecture) throws(CheckpointError) {
        self.file = file
        self.architecture = architecture
        let keys = GGUFConfigKeys(file: file, prefix: architecture.rawValue)
        layerCount = try keys.count("block_count", in: 0...4096)
        hiddenSize = try keys.count("embedding_length", in: 1...1 << 22)
        intermediateSize = try keys.count("feed_forward_length", in: 1...1 << 22)
        contextLength = try keys.count("context_length", in: 1...1 << 31)
        headCount = try keys.count("attention.head_count", in: 1...65536)
        keyValueHeadCount =
            try keys.optionalCount("attention.head_count_kv", in: 1...65536) ?? headCount
        guard headCount % keyValueHeadCount == 0 else {
            throw keys.error(
                .configRange,
                "attention.head_count_kv",
                "the key and value heads do not divide the query heads",
                expected: "a divisor of \(headCount)",
                found: "\(keyValueHeadCount)"
            )
        }
        if let length = try keys.optionalCount("attention.key_length", in: 1...1 << 22) {
            headDimension = length
        } else {
            guard hiddenSize % headCount == 0 else {
                throw keys.error(
                    .configRange,
                    "attention.head_count",
                    "the heads do not divide the embedding",
                    expected: "a divisor of \(hiddenSize)",
                    found: "\(headCount)"
                )
            }
            headDimension = hiddenSize / headCount
        }
        let valueLength = try keys.optionalCount("attention.value_length", in: 1...1 << 22)
        guard (valueLength ?? headDimension) == headDimension else {
            throw keys.error(
                .configUnsupported,
                "attention.value_length",
                "values of another length than keys",
                expected: "\(headDimension)",
                found: "\(valueLength ?? 0)"
            )
        }
        normEpsilon = try keys.positive("attention.layer_norm_rms_epsilon")
        // 10000 is what the format means by leaving it out.
        ropeTheta = try keys.optionalPositive("rope.freq_base") ?? 10000
        rotaryDimension =
            try keys.optionalCount("rope.dimension_count", in: 1...1 << 22) ?? headDimension
        try keys.refuseOtherRotation(
            rotaryDimension,
            of: headDimension,
            isAllowed: architecture == .phi3
        )
        try keys.refuseUnknownFeatures()

        var names: [Name: Int] = [:]
        for (index, tensor) in file.tensors.enumerated() { names[tensor.name] = index }
        tensorNames = names
        tiesWordEmbeddings = names["output.weight"] == nil
        if let count = try keys.optionalCount("vocab_size", in: 1...1 << 24) {
            vocabularySize = count
        } else {
            let count = try file.arrayCount("tokenizer.ggml.tokens", of: .string)
            let rows = names["token_embd.weight"].flatMap { file.tensors[$0].shape.first }
            vocabularySize = count ?? rows ?? 0
        }
        guard (1...1 << 24).contains(vocabularySize) else {
            throw keys.error(
                .configRange,
                "vocab_size",
                "no such vocabulary",
                found: "\(vocabularySize)"
            )
        }
    }

    /// The tensor with a name in the file.
    func tensor(_ name: Name) -> GGUFTensor? {
        tensorNames[name].map { file.tensors[$0] }
    }
}
