internal import CheckpointIO

/// The options of the libraries under the names that they have on the command line.
///
/// Errors of the libraries name options as those do who import them, between backquotes.
enum OptionNames {
    private static let flags: [(name: String, flag: String)] = [
        ("without `readsTokenizer`", "with --no-tokenizer"),
        ("`budget`", "--memory-limit"),
        ("`dtype`", "--dtype"),
        ("`followsLinks`", "--follow-links"),
        ("`keepsNonFinite`", "--keep-nonfinite"),
        ("`only`", "--only"),
        ("`overwrites`", "--force"),
        ("`resumes`", "--resume"),
        ("`rules`", "--tensor-type"),
        ("`skip`", "--skip"),
    ]

    /// Replaces names of options in a text.
    static func spoken(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "`")) else { return text }
        return flags.reduce(text) { text, option in
            var parts = text.split(separator: option.name, omittingEmptySubsequences: false)[...]
            var spoken = String(parts.removeFirst())
            for part in parts { spoken += option.flag + part }
            return spoken
        }
    }
}

extension CheckpointError {
    /// The error in the words of the command line.
    var spoken: CheckpointError {
        var error = CheckpointError(
            code,
            OptionNames.spoken(message),
            file: file,
            tensor: tensor,
            key: key,
            offset: offset,
            expected: expected,
            found: found,
            hint: hint.map(OptionNames.spoken),
            systemError: systemError
        )
        error.category = category
        return error
    }
}
