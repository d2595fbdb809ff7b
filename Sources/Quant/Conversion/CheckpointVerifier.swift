public import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// Reads everything of a checkpoint and says what is wrong with it, and how far it is from the
/// model it was made of.
public struct CheckpointVerifier: Sendable {
    /// The most findings that are told.
    public static let findingLimit = 20

    /// The bytes that will be read, without those of the source.
    public let byteCount: Int
    private let checkpoint: Checkpoint
    private let source: Checkpoint?
    /// What `SHA256SUMS` says of the files; nil without one, or if it cannot be read.
    private let checksums: ChecksumFile?
    private let checksumFinding: CheckpointError?
    private let items: [VerificationPlanner.Item]
    private let relativeRMSELimit: Double?

    /// Prepares a verification; what is wrong shows in the report.
    /// - Parameters:
    ///   - checkpoint: what to verify.
    ///   - source: the model it was made of; nil measures no errors.
    ///   - relativeRMSELimit: above this a tensor is named in the report.
    public init(
        _ checkpoint: Checkpoint,
        against source: Checkpoint? = nil,
        relativeRMSELimit: Double? = nil
    ) {
        self.checkpoint = checkpoint
        self.source = source
        self.relativeRMSELimit = relativeRMSELimit
        items = VerificationPlanner(checkpoint, against: source).items
        byteCount = items.reduce(0) { $0 + ($1.job?.sourceByteCount ?? 0) }
        do throws(CheckpointError) {
            checksums = try checkpoint.checksums()
            checksumFinding = nil
        } catch {
            (checksums, checksumFinding) = (nil, error)
        }
    }

    /// The bytes whose progress is told: those of tensors, and of files for their digests.
    public var workByteCount: Int {
        (checksums?.entries ?? []).reduce(byteCount) {
            $0 + checkpoint.byteCount(ofFile: $1.path)
        }
    }

    /// Reads everything.
    /// - Parameter options: how to run; those of outputs have no meaning here.
    /// - Returns: what was found.
    /// - Throws: only what keeps it from going on: `output.stopped`, `limit.memory`, `file.changed`,
    ///   and system errors `file.io`.
    public func run(options: RunOptions = RunOptions()) throws(CheckpointError) -> Report {
        let workers = options.workers
        let runner = TileRunner(
            workers: workers,
            scratch: try ScratchPool(workerCount: workers.threadCount, budget: options.budget),
            progress: ProgressTracker(totalByteCount: workByteCount, options: options)
        )
        var findings = try checkFiles(runner, budget: options.budget)
        var results = try runner.run(items.compactMap(\.job))[...]
        try checkpoint.checkUnchanged()
        try source?.checkUnchanged()
        var tensors: [Report.Tensor] = []
        for item in items {
            let tiles = item.job == nil ? [] : results.popFirst() ?? []
            if let finding = item.finding { findings.append(finding) }
            if let finding = tiles.lazy.compactMap(\.finding).first {
                findings.append(finding)
            }
            if let error = item.nonFiniteError(tiles) { findings.append(error) }
            if item.job != nil { tensors.append(item.report(tiles)) }
        }
        return Report(
            tensors: tensors,
            findings: Array(Self.merged(findings).prefix(Self.findingLimit)),
            warnings: checkpoint.warnings + unlistedFiles,
            checkedFileCount: checksums?.entries.count,
            tensorsAboveLimit: tensors.filter(isAboveLimit).map(\.name)
        )
    }

    /// Compares every file with its digest.
    /// - Returns: what is wrong, in the order of the list.
    private func checkFiles(
        _ runner: TileRunner,
        budget: MemoryBudget
    ) throws(CheckpointError) -> [CheckpointError] {
        guard let checksums else { return checksumFinding.map { [$0] } ?? [] }
        let entries = checksums.entries
        let found = try runner.workers.map(entries.count) {
            (index, _) throws(CheckpointError) -> CheckpointError? in
            let entry = entries[index]
            // Files that transformers reads only unpacked may have been unpacked since.
            if isUnpacked(entry.path) { return nil }
            do throws(CheckpointError) {
                try checkpoint.check(entry, budget: budget)
            } catch {
                guard error.code != .limitMemory else { throw error }
                return error.inFile(entry.path)
            }
            try runner.progress.advance(
                by: checkpoint.byteCount(ofFile: entry.path),
                tensor: Name(entry.path)
            )
            return nil
        }
        return found.compactMap { $0 }
    }

    /// Whether a packed file is gone, and what was in it there.
    private func isUnpacked(_ path: String) -> Bool {
        path.hasSuffix(".zst") && !checkpoint.hasFile(path)
            && checkpoint.hasFile(String(path.dropLast(4)))
    }

    /// Files that a list of digests leaves out.
    private var unlistedFiles: [CheckpointWarning] {
        guard let checksums else { return [] }
        let listed = Set(checksums.entries.map(\.path))
        let files = checkpoint.weightFiles.map(\.fileName) + checkpoint.companions.map(\.name.text)
        return files.filter { !listed.contains($0) }.map { file in
            CheckpointWarning(
                CheckpointError(
                    .fileChecksumList,
                    "the file is not listed in \(ChecksumFile.fileName)",
                    file: file
                )
            )
        }
    }

    /// Tells a defect once that shows in several tensors, such as a frame of a compressed file.
    private static func merged(_ findings: [CheckpointError]) -> [CheckpointError] {
        struct Place: Hashable {
            let code: CheckpointError.Code
            let file: String?
            let offset: UInt64
        }
        var order: [CheckpointError] = []
        var positions: [Place: (index: Int, count: Int)] = [:]
        for finding in findings {
            guard let offset = finding.offset, finding.code.isOfContainer else {
                order.append(finding)
                continue
            }
            let place = Place(code: finding.code, file: finding.file, offset: offset)
            let known = positions[place] ?? (order.count, 0)
            if known.count == 0 { order.append(finding) }
            positions[place] = (known.index, known.count + 1)
        }
        for (index, count) in positions.values where count > 1 {
            order[index] = order[index].sharedBy(tensorCount: count)
        }
        return order
    }

    private func isAboveLimit(_ tensor: Report.Tensor) -> Bool {
        guard let limit = relativeRMSELimit, let distortion = tensor.distortion else {
            return false
        }
        // Without anything but zeros in the source, any error is infinitely large.
        return distortion.relativeRMSE.map { $0 > limit } ?? (distortion.squaredErrorSum > 0)
    }
}

extension CheckpointError {
    /// The same defect, seen by so many tensors.
    fileprivate func sharedBy(tensorCount: Int) -> CheckpointError {
        CheckpointError(
            code,
            "\(message); \(tensorCount) tensors need it",
            file: file,
            offset: offset,
            expected: expected,
            found: found,
            hint: hint,
            systemError: systemError
        )
    }
}

extension CheckpointError.Code {
    /// Whether the defect is one of a compressed file, whatever tensor lies there.
    fileprivate var isOfContainer: Bool { rawValue.hasPrefix("zstd.") }
}

extension VerificationPlanner.Item {
    fileprivate func nonFiniteError(_ tiles: [TileResult]) -> CheckpointError? {
        guard let first = tiles.lazy.compactMap(\.firstNonFinite).first,
            let job = job as? VerifyJob
        else { return nil }
        let count = tiles.reduce(0) { $0 + $1.nonFiniteCount }
        var error = FloatScan(of: job.source).nonFiniteError(first: first, count: count)
        error.hint = nil
        return error
    }

    fileprivate func report(_ tiles: [TileResult]) -> CheckpointVerifier.Report.Tensor {
        let storedByteCount = stored?.storedByteCount ?? view.storedByteCount
        var distortion: Distortion?
        if isCompared, tiles.allSatisfy({ $0.finding == nil }) {
            distortion = Distortion(tiles: tiles.compactMap(\.distortion))
            distortion?.storedByteCount = storedByteCount
        }
        return CheckpointVerifier.Report.Tensor(
            name: view.description.name,
            shape: stored.map { [$0.rowCount, $0.columnCount] } ?? view.description.shape,
            storage: stored?.config.description ?? view.storedType,
            storedByteCount: storedByteCount,
            config: stored?.config,
            distortion: distortion
        )
    }
}
