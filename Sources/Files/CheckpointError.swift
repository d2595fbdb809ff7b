/// What is wrong with data from outside, or with reading and writing it: one place, one reason.
///
/// A value, not text: programs look at `code` and the fields, people read `description`.
public struct CheckpointError: Error, Hashable, Sendable {
    /// The stable identifier of the defect, for example `st.sizeMismatch`.
    public let code: Code
    /// The sentence that says what is wrong, without the place.
    public let message: String
    /// The file, named below the opened folder; never an absolute path the user did not type.
    public var file: String?
    /// The tensor at fault.
    public var tensor: Name?
    /// The JSON or GGUF key, or key path, at fault.
    public var key: String?
    /// First byte of the field at fault, from the start of the (unpacked) file.
    public var offset: UInt64?
    /// What should have been there.
    public var expected: String?
    /// What was there.
    public var found: String?
    /// What to do about it.
    public var hint: String?
    /// The system's error number, for `file.io` and its kin.
    public var systemError: Int32?
    /// The kind of failure: that of the code, unless the case at hand differs from it.
    public var category: Category

    /// Makes an error; the place may be added later by whoever knows it.
    public init(
        _ code: Code,
        _ message: String,
        file: String? = nil,
        tensor: Name? = nil,
        key: String? = nil,
        offset: UInt64? = nil,
        expected: String? = nil,
        found: String? = nil,
        hint: String? = nil,
        systemError: Int32? = nil
    ) {
        self.code = code
        self.message = message
        self.file = file
        self.tensor = tensor
        self.key = key
        self.offset = offset
        self.expected = expected
        self.found = found
        self.hint = hint
        self.systemError = systemError
        category = code.category
    }

    /// Returns the error with the file named, unless it already names one.
    package func inFile(_ name: String) -> CheckpointError {
        var error = self
        error.file = file ?? name
        return error
    }

    /// Returns the error with the tensor named, unless it already names one.
    package func ofTensor(_ name: Name) -> CheckpointError {
        var error = self
        error.tensor = tensor ?? name
        return error
    }
}

extension CheckpointError: CustomStringConvertible {
    /// One line: file, tensor or key, what is wrong, where, and the code in brackets.
    public var description: String {
        var line = ""
        if let file { line += "\(Name.printable(file)): " }
        if let tensor { line += "tensor \"\(tensor)\": " }
        if let key { line += "key \"\(Name.printable(key))\": " }
        line += message
        if let expected, let found {
            line += " (expected \(Name.printable(expected)), found \(Name.printable(found)))"
        }
        if let offset { line += " (byte \(offset))" }
        return line + " [\(code.rawValue)]"
    }
}
