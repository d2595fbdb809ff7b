/// The model families whose tensors are known.
public enum Architecture: String, Sendable, CaseIterable {
    case llama = "LlamaForCausalLM"
    case mistral = "MistralForCausalLM"
    case qwen2 = "Qwen2ForCausalLM"
    case qwen3 = "Qwen3ForCausalLM"
    case phi3 = "Phi3ForCausalLM"
    case gemma = "GemmaForCausalLM"
    case gemma2 = "Gemma2ForCausalLM"
    case gpt2 = "GPT2LMHeadModel"
}
