public import Files

// Headers of safetensors files.
extension CheckpointError.Code {
    /// The file ends within the length of its header.
    public static let stTooShort = Self("st.tooShort")
    /// The header is longer than the format permits.
    public static let stHeaderTooLarge = Self("st.headerTooLarge")
    /// The header ends beyond the file.
    public static let stHeaderBeyondFile = Self("st.headerBeyondFile")
    /// The header does not begin with an object.
    public static let stHeaderStart = Self("st.headerStart")
    /// A tensor has a name that none can have.
    public static let stBadName = Self("st.badName")
    /// Two tensors have the same name.
    public static let stDuplicateName = Self("st.duplicateName")
    /// The element type is not known.
    public static let stDtype = Self("st.dtype")
    /// The product of the dimensions is no size of memory.
    public static let stOverflow = Self("st.overflow")
    /// The bytes of a tensor are not as many as its shape needs.
    public static let stSizeMismatch = Self("st.sizeMismatch")
    /// The bytes of a tensor end before they begin.
    public static let stOffsets = Self("st.offsets")
    /// Bytes between two tensors belong to none.
    public static let stHole = Self("st.hole")
    /// Two tensors share bytes.
    public static let stOverlap = Self("st.overlap")
    /// The tensors end before the file does, or beyond it.
    public static let stNotCovered = Self("st.notCovered")
}
