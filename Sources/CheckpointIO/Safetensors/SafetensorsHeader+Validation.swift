extension SafetensorsHeader {
    /// Returns the length of the header's text that the first bytes of a file announce.
    static func headerByteCount(
        fileStart: [UInt8],
        fileByteCount: Int
    ) throws(CheckpointError) -> Int {
        0
    }

    /// Validates the text of a header.
    init(text: [UInt8], fileByteCount: Int) throws(CheckpointError) {
        entries = []
        metadata = JSONObject()
        dataOffset = 8
        self.fileByteCount = fileByteCount
    }
}
