internal import CheckpointIO

/// Reads the members of `adapter_config.json` that are not plain values.
struct LoRAConfigReader {
    let json: JSONObject

    // MARK: What is refused

    /// Variants that are not built: anything but null, false and empty is refused.
    private static let refusedKeys: [Name] = [
        "target_parameters", "megatron_config", "alora_invocation_tokens", "velora_config",
        "monteclora_config", "arrow_config", "kasa_config", "lora_ga_config", "use_qalora",
        "use_bdlora",
    ]
    /// Members that change no number, or matter to an initialisation only.
    private static let otherKeys: Set<Name> = [
        "auto_mapping", "loftq_config", "eva_config", "corda_config", "qalora_group_size",
        "megatron_core", "runtime_config", "inference_mode",
    ]
    private static let readKeys: Set<Name> = [
        "peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora",
        "lora_bias", "fan_in_fan_out", "target_modules", "exclude_modules", "layers_to_transform",
        "layers_pattern", "modules_to_save", "trainable_token_indices", "ensure_weight_tying",
        "layer_replication", "bias", "lora_dropout", "init_lora_weights", "task_type",
        "base_model_name_or_path", "revision", "peft_version",
    ]

    /// Checks that it is a LoRA adapter.
    func checkKind() throws(CheckpointError) {
        let kind = try json.string("peft_type")
        guard kind == "LORA" else {
            throw unsupported("peft_type", "adapters of this type are not supported", kind)
        }
    }

    /// Checks that nothing is asked for that is not known.
    func checkUnknownKeys() throws(CheckpointError) {
        // The type of a refused member counts before its meaning.
        if let member = json.member("target_parameters"), case .string = member.value {
            throw typeError("target_parameters", "a list of strings", member.value)
        }
        if json["use_dora"] == .bool(true), let config = json["megatron_config"],
            !Self.isEmpty(config)
        {
            throw contradiction("megatron_config", "DoRA does not go with it")
        }
        for member in json.members where !Self.isEmpty(member.value) {
            if Self.refusedKeys.contains(member.key) {
                throw unsupported(member.key, "this variant is not supported", member.value.text())
            }
            guard !Self.readKeys.contains(member.key), !Self.otherKeys.contains(member.key) else {
                continue
            }
            throw unsupported(member.key, "an unknown field with a value", member.value.text())
        }
    }

    /// What is kept as it is.
    var otherMembers: JSONObject {
        JSONObject(
            json.members.filter {
                !Self.readKeys.contains($0.key) && $0.key != "runtime_config"
                    && $0.key != "inference_mode"
            }.map { ($0.key, $0.value) }
        )
    }

    private static func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false): true
        case .array(let elements): elements.isEmpty
        case .object(let object): object.members.isEmpty
        case .string(let text): text.isEmpty
        case .bool(true), .number: false
        }
    }

    // MARK: Numbers

    func rank() throws(CheckpointError) -> Int {
        guard let member = json.member("r") else {
            throw CheckpointError(.jsonMissingKey, "a key is missing", key: "r")
        }
        guard case .number(let number) = member.value, !number.isFloatingPoint else {
            throw typeError("r", "an integer", member.value)
        }
        return try positive(number, "r")
    }

    func positive(_ number: JSONNumber, _ key: Name) throws(CheckpointError) -> Int {
        guard let value = number.integer, 1...(1 << 20) ~= value else {
            throw range(key, "1 to \(1 << 20)", number.text)
        }
        return value
    }

    func table<Value>(
        _ key: Name,
        _ value: (JSONNumber) throws(CheckpointError) -> Value?
    ) throws(CheckpointError) -> PatternTable<Value> {
        guard let object = try json.optionalObject(key) else { return PatternTable() }
        var entries: [(String, Value)] = []
        for member in object.members {
            guard case .number(let number) = member.value, let value = try value(number) else {
                throw typeError(key, "an object of numbers", member.value)
            }
            entries.append((member.key.text, value))
        }
        return PatternTable(entries)
    }

    func integers(_ key: Name) throws(CheckpointError) -> [Int] {
        guard let value = json[key], value != .null else { return [] }
        let elements: [JSONValue] = if case .array(let list) = value { list } else { [value] }
        var result: [Int] = []
        for element in elements {
            guard case .number(let number) = element, let integer = number.integer else {
                throw typeError(key, "an integer or a list of them", element)
            }
            result.append(integer)
        }
        return result
    }

    func strings(_ key: Name) throws(CheckpointError) -> [String] {
        if case .string(let text)? = json[key] { return text.isEmpty ? [] : [text] }
        return try json.optionalStrings(key) ?? []
    }

    // MARK: Names

    func names(
        _ key: Name,
        knowsAllLinear: Bool
    ) throws(CheckpointError) -> LoRAConfig.ModuleNames? {
        guard case .string(let text)? = json[key] else {
            return try json.optionalStrings(key).map(LoRAConfig.ModuleNames.list)
        }
        return knowsAllLinear && text.lowercased() == "all-linear" ? .allLinear : .pattern(text)
    }

    func trainableTokens() throws(CheckpointError) -> LoRAConfig.TrainableTokens? {
        let key: Name = "trainable_token_indices"
        guard let value = json[key], !Self.isEmpty(value) else { return nil }
        guard case .object(let object) = value else {
            return .inputEmbedding(try tokens(value))
        }
        var modules: [String: [Int]] = [:]
        for member in object.members { modules[member.key.text] = try tokens(member.value) }
        return .modules(modules)
    }

    private func tokens(_ value: JSONValue) throws(CheckpointError) -> [Int] {
        let key: Name = "trainable_token_indices"
        guard case .array(let elements) = value else {
            throw typeError(key, "a list of integers", value)
        }
        var indices: [Int] = []
        for element in elements {
            guard case .number(let number) = element, let index = number.integer else {
                throw typeError(key, "a list of integers", element)
            }
            guard index >= 0 else { throw range(key, "0 or more", "\(index)") }
            indices.append(index)
        }
        guard Set(indices).count == indices.count else {
            throw range(key, "each index once", "one of them twice")
        }
        return indices
    }

    func layerReplication() throws(CheckpointError) -> [Range<Int>] {
        let key: Name = "layer_replication"
        var ranges: [Range<Int>] = []
        for element in try json.optionalArray(key) ?? [] {
            guard case .array(let bounds) = element, bounds.count == 2,
                case .number(let first) = bounds[0], case .number(let second) = bounds[1],
                let start = first.integer, let end = second.integer
            else { throw typeError(key, "a list of pairs of integers", element) }
            guard 0 <= start, start < end else {
                throw range(key, "pairs that ascend from 0", "[\(start), \(end)]")
            }
            ranges.append(start..<end)
        }
        return ranges
    }

    // MARK: Choices

    func bias() throws(CheckpointError) -> LoRAConfig.BiasMode {
        let text = try json.optionalString("bias") ?? "none"
        guard let mode = LoRAConfig.BiasMode(rawValue: text) else {
            throw range("bias", "none, all or lora_only", text)
        }
        return mode
    }

    func initialization() throws(CheckpointError) -> Initialization {
        let key: Name = "init_lora_weights"
        guard let value = json[key] else { return .kaiming }
        switch value {
        case .bool(true): return .kaiming
        case .bool(false): return .random
        case .string(let name):
            if let found = Initialization(name) { return found }
            if name.hasPrefix("pissa_niter_") { throw range(key, "a number of iterations", name) }
            throw unsupported(key, "an unknown initialisation", name)
        default: throw typeError(key, "a boolean or a name", value)
        }
    }

    func taskType() throws(CheckpointError) -> String? {
        let task = try json.optionalString("task_type")
        guard task == nil || task == "CAUSAL_LM" else {
            throw unsupported("task_type", "only language models are supported", task ?? "")
        }
        return task
    }

    // MARK: Errors

    func range(_ key: Name, _ expected: String, _ found: String) -> CheckpointError {
        CheckpointError(
            .adapterRange,
            "the value is out of range",
            key: key.text,
            offset: json.member(key)?.valueOffset,
            expected: expected,
            found: found
        )
    }

    func contradiction(_ key: Name, _ message: String) -> CheckpointError {
        CheckpointError(
            .adapterContradiction,
            message,
            key: key.text,
            offset: json.member(key)?.valueOffset
        )
    }

    private func unsupported(_ key: Name, _ message: String, _ found: String) -> CheckpointError {
        CheckpointError(
            .adapterUnsupported,
            message + ": " + Name.printable(found),
            key: key.text,
            offset: json.member(key)?.valueOffset
        )
    }

    private func typeError(_ key: Name, _ expected: String, _ found: JSONValue) -> CheckpointError {
        CheckpointError(
            .jsonType,
            "the value has another type",
            key: key.text,
            offset: json.member(key)?.valueOffset,
            expected: expected,
            found: found.typeName
        )
    }
}
