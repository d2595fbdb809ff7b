internal import CheckpointIO

extension DecoderSettings {
    /// Mistral (Jiang and others 2023): Llama with a window in all layers, of 4,096 tokens if the file does
    /// not say.
    mutating func useMistral(_ json: JSONObject) throws(CheckpointError) {
        let window =
            json.member("sliding_window") == nil
            ? 4096 : try json.optionalInteger("sliding_window")
        try setWindows(json, window) { _ in true }
    }
}
