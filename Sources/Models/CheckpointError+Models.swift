public import CheckpointIO

// A model and its tensors.
extension CheckpointError.Code {
    /// A text is longer than the model's context.
    public static let modelContext = Self("model.context")
}
