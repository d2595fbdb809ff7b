/// The files of an adapter's folder.
enum AdapterFileName {
    static let config = "adapter_config.json"
    static let weights = "adapter_model.safetensors"
    /// A pickle, which is never opened.
    static let pickle = "adapter_model.bin"
}
