/// What PEFT 0.21 adapts if the configuration does not say it, by `model_type`.
enum DefaultTargets {
    /// The default of a model's type; nil if there is none.
    static func of(_ modelType: String?) -> LoRAConfig.ModuleNames? {
        guard let modelType else { return nil }
        if modelType == "gemma4" { return .pattern(".*language_model\\..*\\.(q_proj|v_proj)") }
        return lists.first { $0.types.contains(modelType) }.map { .list($0.modules) }
    }

    private static let lists: [(types: Set<String>, modules: [String])] = [
        (
            [
                "llama", "llama4", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gemma2",
                "gemma3_text", "stablelm", "opt", "gptj", "gpt_neo", "bart",
            ],
            ["q_proj", "v_proj"]
        ),
        (["phi"], ["q_proj", "v_proj", "fc1", "fc2"]),
        (["nemotron_h"], ["q_proj", "k_proj", "v_proj", "o_proj"]),
        (["rwkv7"], ["r_proj", "k_proj", "v_proj", "o_proj", "key", "value"]),
        (["rwkv"], ["key", "value", "receptance", "output"]),
        (["gpt2", "gpt_bigcode"], ["c_attn"]),
        (["btlm"], ["c_proj", "c_attn"]),
        (["codegen"], ["qkv_proj"]),
        (["mpt"], ["Wqkv"]),
        (
            ["bloom", "gpt_neox", "falcon", "RefinedWeb", "RefinedWebModel", "chatglm"],
            ["query_key_value"]
        ),
        (["t5", "mt5"], ["q", "v"]),
        (["blip-2"], ["q", "v", "q_proj", "v_proj"]),
        (["bert", "roberta", "xlm-roberta", "electra", "layoutlm"], ["query", "value"]),
        (["deberta-v2"], ["query_proj", "value_proj"]),
        (["deberta"], ["in_proj"]),
    ]
}
