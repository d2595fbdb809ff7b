public import CheckpointIO

// Adapters and their files.
extension CheckpointError.Code {
    /// A tensor belongs to nothing that the configuration announces.
    public static let adapterTensorUnused = Self("adapter.tensorUnused")
    /// The configuration announces a tensor that is not there.
    public static let adapterTensorMissing = Self("adapter.tensorMissing")
    /// A factor has another shape than the layer and the rank imply.
    public static let adapterShape = Self("adapter.shape")
    /// A factor has an element type that is not read.
    public static let adapterDtype = Self("adapter.dtype")
    /// A rank, alpha or probability is outside of what it may be.
    public static let adapterRange = Self("adapter.range")
    /// What selects modules selects none.
    public static let adapterNoTarget = Self("adapter.noTarget")
    /// A pattern is malformed, or not one that matches in linear time.
    public static let adapterPattern = Self("adapter.pattern")
    /// An adapter's name is unknown, taken, or none that it can have.
    public static let adapterName = Self("adapter.name")
    /// The adapter is merged, or is not, where it has to be the other way round.
    public static let adapterMerged = Self("adapter.merged")
    /// The adapter changes nothing.
    public static let adapterNoEffect = Self("adapter.noEffect")
    /// The base is not the one that the adapter was made together with.
    public static let adapterWrongBase = Self("adapter.wrongBase")
    /// Two fields of the configuration exclude each other.
    public static let adapterContradiction = Self("adapter.contradiction")
    /// The adapter does what is not done here.
    public static let adapterUnsupported = Self("adapter.unsupported", .unsupported)
    /// A factor or a merged weight is NaN or infinite.
    public static let adapterNotFinite = Self("adapter.notFinite")
}
