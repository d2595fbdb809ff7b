/// What to tell somebody whose command line does not make sense.
enum UsageAdvice {
    /// Says that the first argument names no subcommand; nil if it does, or is an option.
    static func unknownCommand(in arguments: [String], among commands: [String]) -> String? {
        guard let word = arguments.first, !word.hasPrefix("-"), !commands.contains(word)
        else { return nil }
        let nearest = commands.map { (name: $0, distance: distance(word, $0)) }
            .min { $0.distance < $1.distance }
        let message = "Unknown command '\(word)'"
        guard let nearest, nearest.distance <= max(2, nearest.name.count / 3) else {
            return message
        }
        return "\(message). Did you mean '\(nearest.name)'?"
    }

    /// The hint that goes with wrong arguments of a command.
    static func hint(for command: String, _ arguments: [String]) -> String {
        if let level = arguments.indices.dropFirst().first(where: {
            arguments[$0 - 1] == "--zstd" && Int(arguments[$0]) != nil
        }) {
            return "a level is part of the option: --zstd=\(arguments[level])"
        }
        if arguments.contains("--overwrite") {
            return "--force replaces what is at the destination"
        }
        return "'\(command) --help' lists the options"
    }

    /// Letters to insert, remove or exchange to turn one word into the other.
    private static func distance(_ word: String, _ other: String) -> Int {
        let letters = Array(other)
        var row = Array(0...letters.count)
        for (line, letter) in word.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for column in letters.indices {
                let above = row[column + 1]
                let change = letter == letters[column] ? 0 : 1
                row[column + 1] = min(above + 1, row[column] + 1, diagonal + change)
                diagonal = above
            }
        }
        return row[letters.count]
    }
}
