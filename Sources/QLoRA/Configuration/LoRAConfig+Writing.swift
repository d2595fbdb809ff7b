public import CheckpointIO

extension LoRAConfig {
    /// The version of PEFT whose files these are.
    public static let peftVersion = "0.21.2"

    /// Returns `adapter_config.json` as PEFT writes it: every field, keys sorted, lists of names too.
    ///
    /// Sorting may change which key of a pattern table comes first; whoever has modules at hand uses
    /// `ModuleSelection.tablesInAnyOrder` before.
    public var json: JSONObject {
        var json = JSONObject()
        for (key, value) in Self.defaults { json[key] = value }
        for member in otherMembers.members { json[member.key] = member.value }
        json["peft_type"] = .string("LORA")
        json["peft_version"] = .string(writerVersion ?? Self.peftVersion)
        json["inference_mode"] = .bool(true)
        json["r"] = .integer(rank)
        json["lora_alpha"] = Self.number(alpha)
        json["rank_pattern"] = Self.object(rankPattern) { .integer($0) }
        json["alpha_pattern"] = Self.object(alphaPattern, Self.number)
        json["use_rslora"] = .bool(usesRSLoRA)
        json["use_dora"] = .bool(usesDoRA)
        json["lora_bias"] = .bool(hasLoRABias)
        json["fan_in_fan_out"] = .bool(fanInFanOut)
        json["target_modules"] = Self.names(targetModules)
        json["exclude_modules"] = Self.names(excludedModules)
        json["layers_to_transform"] = Self.list(layersToTransform) { .integer($0) }
        // PEFT writes a single one as it was given, which is mostly without a list.
        json["layers_pattern"] =
            layersPattern.count == 1
            ? .string(layersPattern[0]) : Self.list(layersPattern) { .string($0) }
        json["modules_to_save"] = Self.list(modulesToSave) { .string($0) }
        json["trainable_token_indices"] = trainableTokens.map(Self.tokens) ?? .null
        json["ensure_weight_tying"] = .bool(ensuresWeightTying)
        json["layer_replication"] = Self.list(layerReplication) {
            .array([.integer($0.lowerBound), .integer($0.upperBound)])
        }
        json["bias"] = .string(bias.rawValue)
        json["lora_dropout"] = .double(dropout)
        json["init_lora_weights"] =
            initialization.name.map { .string($0) } ?? .bool(initialization == .kaiming)
        json["task_type"] = taskType.map { .string($0) } ?? .null
        json["base_model_name_or_path"] = baseModel.map { .string($0) } ?? .null
        json["revision"] = revision.map { .string($0) } ?? .null
        return json
    }

    /// The text of the file: two spaces of indentation, ASCII, no newline at the end.
    public var text: String { json.text(.indentedAndSorted) }

    /// Fields that this package does not set otherwise.
    private static let defaults: [(Name, JSONValue)] = [
        ("alora_invocation_tokens", .null), ("arrow_config", .null), ("auto_mapping", .null),
        ("corda_config", .null), ("eva_config", .null), ("kasa_config", .null),
        ("loftq_config", .object([:])), ("lora_ga_config", .null), ("megatron_config", .null),
        ("megatron_core", .string("megatron.core")), ("monteclora_config", .null),
        ("qalora_group_size", .integer(16)), ("target_parameters", .null), ("use_bdlora", .null),
        ("use_qalora", .bool(false)), ("velora_config", .null),
    ]

    /// A whole number without a fraction, as PEFT has it.
    private static func number(_ value: Double) -> JSONValue {
        Int(exactly: value).map { .integer($0) } ?? .double(value)
    }

    private static func object<Value>(
        _ table: PatternTable<Value>,
        _ value: (Value) -> JSONValue
    ) -> JSONValue {
        var object = JSONObject()
        for entry in table.entries { object[Name(entry.key)] = value(entry.value) }
        return .object(object)
    }

    private static func names(_ names: ModuleNames?) -> JSONValue {
        switch names {
        case nil: .null
        case .list(let names): .array(names.sorted().map { .string($0) })
        case .pattern(let pattern): .string(pattern)
        case .allLinear: .string("all-linear")
        }
    }

    private static func list<Element>(
        _ elements: [Element],
        _ value: (Element) -> JSONValue
    ) -> JSONValue {
        elements.isEmpty ? .null : .array(elements.map(value))
    }

    private static func tokens(_ tokens: TrainableTokens) -> JSONValue {
        switch tokens {
        case .inputEmbedding(let indices): .array(indices.map { .integer($0) })
        case .modules(let modules):
            .object(
                JSONObject(
                    modules.sorted { $0.key < $1.key }.map { name, indices in
                        (Name(name), .array(indices.map { .integer($0) }))
                    }
                )
            )
        }
    }
}
