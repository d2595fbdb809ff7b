internal import Containers
internal import Files

/// Checks what a container holds against its `config.json`.
struct ModelValidation {
    private(set) var model: ModelConfig?
    private(set) var quantization: QuantizationDeclaration?
    /// Why the weights cannot be read as numbers; nil if they can.
    private(set) var foreignQuantization: CheckpointError?
    private(set) var warnings: [CheckpointWarning] = []

    /// Validates contents.
    ///
    /// - Parameters:
    ///   - contents: tensors and configuration.
    ///   - options: whether the architecture must be known.
    ///   - tensor: finds a tensor by name.
    /// - Throws: `config.…`, `model.…`, `index.tensorUnmapped` or `json.…`.
    init(
        _ contents: CheckpointContents,
        options: Checkpoint.Options,
        tensor: @escaping (Name) -> TensorView?
    ) throws(CheckpointError) {
        var neededUnmapped = false
        let isMarked = contents.metadata[Self.uncheckedKey] != nil
        let allowsAny = options.allowsAnyArchitecture || isMarked
        foreignQuantization = ForeignQuantization.finding(in: contents)
        if let foreignQuantization {
            guard allowsAny else { throw foreignQuantization }
            warn(foreignQuantization)
        }
        if let json = contents.configuration {
            do throws(CheckpointError) {
                quantization = try QuantizationDeclaration(configuration: json)
            } catch {
                throw error.inFile(CheckpointContents.configFileName)
            }
            let quantized = try QuantizedNames.quantizedWeights(among: contents.tensors) {
                tensor($0) != nil
            }
            do throws(CheckpointError) {
                let config: ModelConfig
                do throws(CheckpointError) {
                    config = try ModelConfig(
                        json: json,
                        hasBasePrefix: tensor("wte.weight") == nil
                            && tensor("embed_tokens.weight") == nil
                    )
                } catch {
                    throw error.inFile(CheckpointContents.configFileName)
                }
                let check = try StructureCheck(
                    config,
                    contents,
                    quantized: quantized,
                    tensor: tensor
                )
                model = config
                warnings += check.warnings
            } catch {
                guard allowsAny else { throw error }
                if isMarked { warnOfUncheckedModel() }
                neededUnmapped = error.code == .indexTensorUnmapped
            }
            crossCheck(quantizedCount: quantized.count)
            warnOfCode(json)
        }
        warnOfUnmapped(contents, areNeeded: neededUnmapped)
    }

    private mutating func crossCheck(quantizedCount: Int) {
        let isAnnounced =
            quantization?.mode != nil
            || (quantization?.foreignMethod != nil && foreignQuantization == nil)
        guard foreignQuantization == nil || quantizedCount > 0 else { return }
        guard isAnnounced != (quantizedCount > 0) else { return }
        let by = quantization?.foreignMethod.map { " (\(Name.printable($0)))" } ?? ""
        warn(
            CheckpointError(
                .configQuantization,
                isAnnounced
                    ? "quantized weights are announced\(by), but all tensors are plain"
                    : "\(quantizedCount) weights are quantized, which is not announced",
                file: CheckpointContents.configFileName,
                key: "quantization_config"
            )
        )
    }

    /// A key of `__metadata__` that a conversion leaves if it did not check a known architecture
    /// against its tensors: then nobody after it can.
    static let uncheckedKey: Name = "swift-qlora-unchecked"

    private mutating func warnOfUncheckedModel() {
        warn(
            CheckpointError(
                .modelGuess,
                "the tensors were converted without a check against it, and are not checked now",
                file: CheckpointContents.configFileName
            )
        )
    }

    private mutating func warnOfCode(_ json: JSONObject) {
        guard case .object(let map)? = json["auto_map"], !map.members.isEmpty else { return }
        warn(
            CheckpointError(
                .configRemoteCode,
                "the model names code of its own, which is never run",
                file: CheckpointContents.configFileName,
                key: "auto_map",
                offset: json.member("auto_map")?.keyOffset
            )
        )
    }

    private mutating func warnOfUnmapped(_ contents: CheckpointContents, areNeeded: Bool) {
        guard let first = contents.unmappedTensors.first else { return }
        let count = contents.unmappedTensors.count
        warn(
            CheckpointError(
                .indexTensorUnmapped,
                (count == 1
                    ? "the index does not map the tensor"
                    : "the index does not map this and \(count - 1) other tensors")
                    + "; left out" + (areNeeded ? ", although the model seems to need it" : ""),
                file: first.shard,
                tensor: first.name
            )
        )
    }

    private mutating func warn(_ finding: CheckpointError) {
        warnings.append(CheckpointWarning(finding))
    }
}
