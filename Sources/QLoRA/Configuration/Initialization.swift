/// How the factors of an adapter began (`init_lora_weights`).
public enum Initialization: Sendable, Hashable {
    /// `true`: `A` uniform as Kaiming has it, `B` zero.
    case kaiming
    /// `false`: `A` as before, `B` uniform.
    case random
    /// `A` normal with deviation `1 / r`, `B` zero.
    case gaussian
    /// `A` and `B` from one orthogonal matrix.
    case orthogonal
    /// `A` from the inputs' principal components.
    case eva
    /// `B` from the weight's minor components, and frozen.
    case mica
    /// Factors from the weight's principal components, which the base loses; iterations of the
    /// randomised form.
    case pissa(iterations: Int?)
    /// Factors from a QR decomposition of the weight, which the base loses.
    case olora
    /// Factors from components that inputs choose, which the base loses.
    case corda
    /// Factors from what quantization lost; the base is quantized again.
    case loftq
    /// Factors from gradients, which the base loses.
    case loraGA

    /// Whether the base is no longer the one it was: the adapter belongs to another one.
    public var changesBase: Bool {
        switch self {
        case .kaiming, .random, .gaussian, .orthogonal, .eva, .mica: false
        case .pissa, .olora, .corda, .loftq, .loraGA: true
        }
    }

    /// Reads a name as PEFT writes it; nil if it is none.
    ///
    /// The case of letters matters for some of them.
    init?(_ name: String) {
        switch name {
        case "eva": self = .eva
        case "orthogonal": self = .orthogonal
        case "pissa": self = .pissa(iterations: nil)
        case "corda": self = .corda
        case "loftq": self = .loftq
        case "lora_ga": self = .loraGA
        default:
            switch name.lowercased() {
            case "gaussian": self = .gaussian
            case "olora": self = .olora
            case "mica": self = .mica
            default:
                let prefix = "pissa_niter_"
                guard name.hasPrefix(prefix), let count = Int(name.dropFirst(prefix.count)),
                    count >= 0
                else { return nil }
                self = .pissa(iterations: count)
            }
        }
    }

    /// The name in the file; nil for the two that are booleans there.
    public var name: String? {
        switch self {
        case .kaiming, .random: nil
        case .gaussian: "gaussian"
        case .orthogonal: "orthogonal"
        case .eva: "eva"
        case .mica: "mica"
        case .pissa(nil): "pissa"
        case .pissa(let count?): "pissa_niter_\(count)"
        case .olora: "olora"
        case .corda: "corda"
        case .loftq: "loftq"
        case .loraGA: "lora_ga"
        }
    }
}
