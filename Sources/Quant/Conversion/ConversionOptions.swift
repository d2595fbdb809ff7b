public import CheckpointIO
public import Tensors

/// What becomes of the tensors of a checkpoint.
public struct ConversionOptions: Sendable {
    /// A format for the modules whose name matches.
    public struct FormatRule: Sendable, Hashable {
        /// The modules.
        public let pattern: ModulePattern
        /// What they become; nil leaves them as they are.
        public let config: QuantizationConfig?

        /// Makes a rule.
        public init(_ pattern: ModulePattern, _ config: QuantizationConfig?) {
            self.pattern = pattern
            self.config = config
        }
    }

    /// What quantized modules become, unless a rule says otherwise.
    public var config: QuantizationConfig
    /// Modules that stay as they are.
    public var skip: [ModulePattern] = []
    /// If not empty: the only modules that are quantized.
    public var only: [ModulePattern] = []
    /// Other formats for some modules; the first that matches counts, before `skip` and `only`.
    ///
    /// A rule can also quantize the output head, which otherwise stays as it is.
    public var rules: [FormatRule] = []
    /// The type of float tensors that are not quantized, and the one recorded for those that are;
    /// nil keeps what the checkpoint has.
    public var dtype: FloatDType?
    /// Whether weights with NaN or infinity stay as they are; otherwise they are an error.
    public var keepsNonFinite = false
    /// The most bytes of tensors in one file; nil for a single file.
    public var maximumShardByteCount: Int?
    /// The level of zstd; nil writes plain safetensors files.
    public var zstdLevel: Int?
    /// Whether the errors of quantized tensors are measured, which takes a second look at them.
    public var measuresErrors = false

    /// Makes options.
    public init(_ config: QuantizationConfig = .nf4) {
        self.config = config
    }
}

/// A regular expression that is looked for in the dotted names of modules.
public struct ModulePattern: Sendable, Hashable {
    /// The expression, in Swift's syntax.
    public let text: String

    /// Makes a pattern; nil if the text is not a regular expression.
    public init?(_ text: String) {
        guard (try? Regex(text)) != nil else { return nil }
        self.text = text
    }

    /// Returns whether any part of the module's name matches.
    public func matches(_ module: Name) -> Bool {
        guard let expression = try? Regex(text) else { return false }
        return module.text.firstMatch(of: expression) != nil
    }
}
