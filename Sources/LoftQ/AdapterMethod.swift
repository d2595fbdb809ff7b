/// A way to begin an adapter that needs only the weights.
public enum AdapterMethod: String, Sendable, CaseIterable {
    /// The adapter makes up for what quantization loses (`LoftQ`).
    case loftq
    /// The adapter has the leading part of the weight, and the rest is quantized (PiSSA, section 3.2:
    /// Meng, Wang and Zhang 2024).
    case qpissa
    /// The adapter has the leading part of the weight, and the base keeps the rest as floats (`PiSSA`).
    case pissa
    /// The adapter has the first directions of a QR decomposition, and the base keeps the rest as floats
    /// (`OLoRA`).
    case olora

    /// Whether the base is quantized.
    public var quantizes: Bool { self == .loftq || self == .qpissa }

    /// The folder of the adapter below that of the base, as models on the Hub name theirs.
    public var folderName: String {
        switch self {
        case .loftq: "loftq_init"
        case .qpissa, .pissa: "pissa_init"
        case .olora: "olora_init"
        }
    }
}
