internal import CheckpointIO

extension DecoderSettings {
    /// Qwen2 and 2.5 (Yang and others 2024): Llama with biases of queries, keys and values, and windows in
    /// the upper layers if they are asked for.
    mutating func useQwen2(_ json: JSONObject) throws(CheckpointError) {
        guard try json.optionalBool("use_sliding_window") ?? false else { return }
        let first = try json.optionalInteger("max_window_layers") ?? 28
        let window =
            json.member("sliding_window") == nil
            ? 4096 : try json.optionalInteger("sliding_window")
        try setWindows(json, window) { $0 >= first }
    }

    /// Qwen3 (Yang and others 2025): as Qwen2, with normalized queries and keys.
    mutating func useQwen3(_ json: JSONObject) throws(CheckpointError) {
        normalizesHeads = true
        try useQwen2(json)
    }
}
