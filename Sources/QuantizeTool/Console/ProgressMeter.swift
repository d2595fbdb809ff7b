/// Turns bytes done into a rate and a time left, without a clock or a terminal of its own.
struct ProgressMeter: Sendable {
    /// The bytes to work through.
    let totalByteCount: Int
    private var samples: [(seconds: Double, byteCount: Int)] = [(0, 0)]

    /// Starts at second 0.
    init(totalByteCount: Int) {
        self.totalByteCount = totalByteCount
    }

    /// Takes note that `byteCount` bytes are done, `seconds` after the start.
    mutating func record(byteCount: Int, seconds: Double) {
        if let last = samples.last, seconds - last.seconds < 0.5, samples.count > 1 {
            samples[samples.count - 1].byteCount = byteCount
            samples[samples.count - 1].seconds = max(last.seconds, seconds)
        } else {
            samples.append((seconds, byteCount))
        }
        // The rate of the last ten seconds or so: resumed and copied parts go faster than others.
        while samples.count > 21 { samples.removeFirst() }
    }

    /// Bytes a second, lately; nil before there is anything to tell.
    var bytesPerSecond: Double? {
        guard let first = samples.first, let last = samples.last, last.seconds > first.seconds,
            last.byteCount > first.byteCount
        else { return nil }
        return Double(last.byteCount - first.byteCount) / (last.seconds - first.seconds)
    }

    /// Seconds to go at this rate.
    var secondsLeft: Double? {
        guard let rate = bytesPerSecond, let last = samples.last else { return nil }
        return Double(max(0, totalByteCount - last.byteCount)) / rate
    }

    /// One line: share, bytes, rate, time left, and what is being done, cut to `width`.
    func line(doing work: String, width: Int) -> String {
        let done = samples.last?.byteCount ?? 0
        let share =
            totalByteCount > 0 ? Int(Double(done) / Double(totalByteCount) * 100) : 100
        var line = "\(share) %  \(Quantity.bytes(done)) of \(Quantity.bytes(totalByteCount))"
        if let rate = bytesPerSecond {
            line += "  \(Quantity.bytes(Int(min(rate, 1e18))))/s"
        }
        if let left = secondsLeft, done < totalByteCount {
            line += "  \(Quantity.duration(left)) left"
        }
        let room = width - line.count - 3
        // The end of a tensor's name tells which one it is, the start is the same for all.
        if room >= 12, !work.isEmpty {
            line += "  " + (work.count > room ? "…\(work.suffix(room - 1))" : work)
        }
        return line
    }
}
