package import Files

/// Which tensor goes into which file of a checkpoint, as transformers decides it.
///
/// Tensors are taken in the given order; a shard is closed when the next tensor would make it
/// larger than the limit; a tensor that is larger than the limit alone gets a shard of its own, at
/// once, while the shard before it stays open.
package struct ShardPlan: Sendable {
    /// One file.
    package struct Shard: Hashable, Sendable {
        /// Its name, for example `model-00001-of-00003.safetensors`.
        package let fileName: String
        /// Positions in the list of tensors that was planned for.
        package let tensorIndices: [Int]
        /// The bytes of its tensors.
        package let byteCount: Int
    }

    /// The name of the index file.
    package static let indexFileName = "model.safetensors.index.json"

    /// The files in order of their numbers.
    package let shards: [Shard]

    /// Plans the files.
    /// - Parameters:
    ///   - byteCounts: of the tensors, in the order of the model.
    ///   - maximumByteCount: of the tensors in one shard; `nil` for a single file.
    package init(byteCounts: [Int], maximumByteCount: Int?) {
        precondition(maximumByteCount ?? 1 > 0, "shards of \(maximumByteCount ?? 0) bytes")
        let limit = maximumByteCount ?? Int.max
        var groups: [[Int]] = []
        var current: [Int] = []
        var currentByteCount = 0
        for (index, byteCount) in byteCounts.enumerated() {
            if byteCount > limit {
                groups.append([index])
                continue
            }
            if currentByteCount > limit - byteCount {
                groups.append(current)
                current = []
                currentByteCount = 0
            }
            current.append(index)
            currentByteCount += byteCount
        }
        if !current.isEmpty || groups.isEmpty { groups.append(current) }
        shards = groups.enumerated().map { number, indices in
            Shard(
                fileName: groups.count == 1
                    ? "model.safetensors"
                    : "model-\(Self.digits(number + 1))-of-\(Self.digits(groups.count)).safetensors",
                tensorIndices: indices,
                byteCount: indices.reduce(0) { $0 + byteCounts[$1] }
            )
        }
    }

    /// Returns the text of the index file: `metadata` with `total_size` (and `total_parameters`),
    /// and `weight_map`, in order of the names' bytes.
    /// - Parameters:
    ///   - names: of the tensors that were planned for.
    ///   - totalByteCount: of the tensors in all files.
    ///   - totalParameterCount: the elements of the model before quantization, if known.
    /// - Returns: the JSON text as transformers spells it, with a newline at the end.
    package func indexText(
        names: [Name],
        totalByteCount: Int,
        totalParameterCount: Int? = nil
    ) -> [UInt8] {
        indexText(
            groups: names.map { [$0] },
            totalByteCount: totalByteCount,
            totalParameterCount: totalParameterCount
        )
    }

    /// Returns the text of the index file where each thing that was planned for is several tensors
    /// that stay together; see `indexText(names:totalByteCount:totalParameterCount:)`.
    package func indexText(
        groups: [[Name]],
        totalByteCount: Int,
        totalParameterCount: Int? = nil
    ) -> [UInt8] {
        var files: [(Name, JSONValue)] = []
        for shard in shards {
            for name in shard.tensorIndices.flatMap({ groups[$0] }) {
                files.append((name, .string(shard.fileName)))
            }
        }
        var metadata: JSONObject = [:]
        if let totalParameterCount { metadata["total_parameters"] = .integer(totalParameterCount) }
        metadata["total_size"] = .integer(totalByteCount)
        let index: JSONObject = [
            "metadata": .object(metadata),
            "weight_map": .object(JSONObject(files)),
        ]
        return Array((index.text(.indentedAndSorted) + "\n").utf8)
    }

    private static func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
}
