internal import Files

/// What a file that is not what its name says seems to be, told by its first bytes.
struct FileKindHint {
    let text: String

    private static let signatures: [(start: [UInt8], text: String)] = [
        (
            Array("version ".utf8),
            "this is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
        ),
        (Array("<!DO".utf8), htmlText),
        (Array("<!do".utf8), htmlText),
        (Array("<htm".utf8), htmlText),
        (Array("<HTM".utf8), htmlText),
        (Array("<?xm".utf8), "this is an XML page, probably an error message; download it again"),
        (Array("PK".utf8), "this is a zip archive, probably a torch pickle; " + pickleText),
        ([0x80, 0x02], "this is a pickle; " + pickleText),
        ([0x80, 0x03], "this is a pickle; " + pickleText),
        ([0x80, 0x04], "this is a pickle; " + pickleText),
        ([0x80, 0x05], "this is a pickle; " + pickleText),
        (Array("GGUF".utf8), "this is a GGUF file; give it the ending .gguf"),
        (
            [0x28, 0xB5, 0x2F, 0xFD],
            "this is zstd-compressed; give it the ending .safetensors.zst"
        ),
        ([0x1F, 0x8B], "this is gzip-compressed; unpack it first"),
        (Array("{".utf8), "this is a JSON file"),
    ]
    private static let htmlText = "this is an HTML page, probably an error; download it again"
    private static let pickleText = InputFolder.pickleHint

    /// Recognises a file by its first bytes; nil if it could be anything.
    init?(_ start: [UInt8]) {
        guard let match = FileKindHint.signatures.first(where: { start.starts(with: $0.start) })
        else { return nil }
        text = match.text
    }
}
