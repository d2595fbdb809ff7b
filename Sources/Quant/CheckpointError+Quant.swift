public import CheckpointIO

// Quantized tensors.
extension CheckpointError.Code {
    /// The description of a quantized weight is malformed.
    public static let quantState = Self("quant.state")
    /// A part of a quantized weight has another size than its description implies.
    public static let quantShape = Self("quant.shape")
    /// The table of what codes stand for is missing, or none that is known.
    public static let quantMap = Self("quant.map")
    /// The scales are missing, or of the wrong size.
    public static let quantAbsmax = Self("quant.absmax")
    /// The weight is quantized in a way that is not read.
    public static let quantUnsupported = Self("quant.unsupported", .unsupported)
    /// The weights that are quantized or compared were quantized before.
    public static let quantTwice = Self("quant.twice")
}

// What was asked for.
extension CheckpointError.Code {
    /// An option has no effect on what is asked for.
    public static let optionUnused = Self("option.unused", .usage)
}
