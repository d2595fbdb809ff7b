/// The files of an adapter's folder.
package enum AdapterFileName {
    package static let config = "adapter_config.json"
    package static let weights = "adapter_model.safetensors"
    /// A pickle, which is never opened.
    package static let pickle = "adapter_model.bin"
}
