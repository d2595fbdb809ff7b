public import CheckpointIO

extension LoRAConfig {
    /// The most bytes of a configuration.
    static let maximumByteCount = 16 << 20

    /// Reads `adapter_config.json`.
    /// - Parameters:
    ///   - json: the file.
    ///   - warnings: receives what is odd but honoured.
    /// - Throws: `json.missingKey`, `json.type`, `json.number`; `adapter.range`,
    ///   `adapter.contradiction`; `adapter.unsupported` for what cannot be honoured.
    public init(
        json: JSONObject,
        warnings: inout [CheckpointWarning]
    ) throws(CheckpointError) {
        let reader = LoRAConfigReader(json: json)
        try reader.checkKind()
        self.init(rank: try reader.rank(), alpha: try json.double("lora_alpha"))
        rankPattern = try reader.table("rank_pattern") { (number) throws(CheckpointError) in
            try reader.positive(number, "rank_pattern")
        }
        alphaPattern = try reader.table("alpha_pattern") { $0.double }
        usesRSLoRA = try json.optionalBool("use_rslora") ?? false
        usesDoRA = try json.optionalBool("use_dora") ?? false
        hasLoRABias = try json.optionalBool("lora_bias") ?? false
        fanInFanOut = try json.optionalBool("fan_in_fan_out") ?? false
        targetModules = try reader.names("target_modules", knowsAllLinear: true)
        excludedModules = try reader.names("exclude_modules", knowsAllLinear: false)
        layersToTransform = try reader.integers("layers_to_transform")
        layersPattern = try reader.strings("layers_pattern")
        modulesToSave = try json.optionalStrings("modules_to_save") ?? []
        trainableTokens = try reader.trainableTokens()
        ensuresWeightTying = try json.optionalBool("ensure_weight_tying") ?? false
        layerReplication = try reader.layerReplication()
        bias = try reader.bias()
        dropout = try json.optionalDouble("lora_dropout") ?? 0
        initialization = try reader.initialization()
        taskType = try reader.taskType()
        baseModel = try json.optionalString("base_model_name_or_path")
        revision = try json.optionalString("revision")
        writerVersion = try json.optionalString("peft_version")
        otherMembers = reader.otherMembers
        try reader.checkUnknownKeys()
        try validate(reader)
        warnings += oddities(reader)
    }

    private func validate(_ reader: LoRAConfigReader) throws(CheckpointError) {
        guard (0...1).contains(dropout) else {
            throw reader.range("lora_dropout", "0 to 1", "\(dropout)")
        }
        if hasLoRABias, usesDoRA {
            throw reader.contradiction("lora_bias", "DoRA has no bias on B")
        }
        if hasLoRABias, initialization != .kaiming, initialization != .random {
            throw reader.contradiction(
                "lora_bias",
                "goes with init_lora_weights true and false only"
            )
        }
        let isList = if case .list? = targetModules { true } else { targetModules == nil }
        if !isList, !layersToTransform.isEmpty || !layersPattern.isEmpty {
            throw reader.contradiction(
                layersToTransform.isEmpty ? "layers_pattern" : "layers_to_transform",
                "goes with a list of target_modules only"
            )
        }
        if !layersPattern.isEmpty, layersToTransform.isEmpty {
            throw reader.contradiction("layers_pattern", "goes with layers_to_transform only")
        }
        for (key, needing) in [
            ("loftq_config", Initialization.loftq), ("corda_config", .corda),
        ] where initialization == needing {
            let members = try reader.json.optionalObject(Name(key))?.members ?? []
            guard members.isEmpty else { continue }
            throw reader.contradiction(Name(key), "init_lora_weights needs it")
        }
    }

    /// What is odd in the file, but honoured.
    private func oddities(_ reader: LoRAConfigReader) -> [CheckpointWarning] {
        var warnings: [CheckpointWarning] = []
        func warn(_ code: CheckpointError.Code, _ message: String, _ key: String) {
            warnings.append(
                CheckpointWarning(
                    CheckpointError(code, message, file: AdapterFileName.config, key: key)
                )
            )
        }
        for value in [alpha] + alphaPattern.entries.map(\.value) {
            if value == 0 { warn(.adapterNoEffect, "the scaling is 0", "lora_alpha") }
            if value < 0 { warn(.adapterRange, "the scaling is negative", "lora_alpha") }
        }
        if initialization == .eva, reader.json["eva_config"] ?? .null == .null {
            warn(.jsonMissingKey, "its defaults are taken", "eva_config")
        }
        if reader.json["runtime_config"] != nil {
            warn(.jsonMissingKey, "what holds at run time only is ignored", "runtime_config")
        }
        return warnings
    }
}
