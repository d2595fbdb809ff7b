extension OutputFolder {
    /// Checks that an output may be made, without making anything.
    ///
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - sources: the files and folders that are read.
    ///   - overwrite: whether an existing destination may be replaced.
    /// - Throws: `output.insideInput`, `output.exists`, `file.…` if the parent is not there.
    public static func check(
        _ destination: String,
        sources: [String],
        overwrite: Bool
    ) throws(CheckpointError) {
        let place = try OutputPlace(destination, partialName: { $0 + ".partial" })
        try place.requireOutside(sources)
        try place.requireFree(overwrite: overwrite)
    }
}
