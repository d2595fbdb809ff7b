extension OutputFolder {
    /// Checks that an output may be made, without making anything.
    ///
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - sources: the files and folders that are read.
    ///   - overwrite: whether an earlier output may be replaced, and a stopped run thrown away.
    ///   - resume: whether a stopped run is to be continued.
    /// - Throws: `output.insideInput`, `output.exists`, `output.unfinished`, `file.…` if the parent
    ///   is not there.
    package static func check(
        _ destination: String,
        sources: [String],
        overwrite: Bool,
        resume: Bool = false
    ) throws(CheckpointError) {
        let place = try OutputPlace(destination, partialName: { $0 + ".partial" })
        try place.requireOutside(sources)
        _ = try place.requireReplaceable(overwrite: overwrite)
        try place.requireOwnLeftovers(overwrite: overwrite, resume: resume)
    }
}
