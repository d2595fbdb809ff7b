internal import ArgumentParser
internal import LoftQ
internal import QLoRA

/// How a new adapter begins, as the command line says it.
struct NewAdapterOptions: ParsableArguments {
    @Option(
        name: .customLong("method"),
        help: ArgumentHelp(
            "loftq: from what quantization lost; qpissa: the leading part, and the rest quantized; pissa "
                + "and olora: the base keeps floats.",
            valueName: "method"
        )
    )
    var methodName = MethodName.loftq

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Leave this quantized model as it is, and write an adapter for it alone.",
            valueName: "base"
        ),
        completion: .directory
    )
    var replace: String?

    @Option(name: .long, help: ArgumentHelp("The rank.", valueName: "r"))
    var rank = 16

    @Option(
        name: .long,
        help: ArgumentHelp("lora_alpha; default: the rank.", valueName: "alpha")
    )
    var alpha: Double?

    @Flag(name: .long, help: "Scale by alpha / √r (rsLoRA) in place of alpha / r.")
    var rslora = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How often quantization and adapter take turns; default: 1. The best is kept.",
            valueName: "n"
        )
    )
    var iterations: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The adapted layers: all-linear, names with commas between them, or a pattern as PEFT reads it.",
            valueName: "names"
        )
    )
    var targets = "all-linear"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Another rank for layers whose name ends so, such as 'down_proj=32'; may be repeated.",
            valueName: "pattern=r"
        ),
        transform: RankRule.init(argument:)
    )
    var rankPattern: [RankRule] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Layers that win no more than this share of the error are quantized plainly, with a new "
                + "adapter; --min-gain=-1 keeps all, however bad.",
            valueName: "share"
        )
    )
    var minGain = 0.0

    @Option(name: .long, help: ArgumentHelp("Decides what is random.", valueName: "n"))
    var seed: UInt64 = 0

    func validate() throws {
        guard (1...65_536).contains(rank) else {
            throw ValidationError("--rank takes a number from 1, not \(rank)")
        }
        if let alpha, !(alpha > 0 && alpha.isFinite) {
            throw ValidationError("--alpha takes a number above 0, not \(alpha)")
        }
        if let iterations, !(1...1000).contains(iterations) {
            throw ValidationError("--iterations takes a number from 1 to 1000, not \(iterations)")
        }
        guard (-1...1).contains(minGain) else {
            throw ValidationError("--min-gain takes a share from -1 to 1, not \(minGain)")
        }
    }

    /// How weights are split.
    var method: AdapterMethod { methodName.method }

    /// The same as a configuration.
    var config: LoRAConfig {
        var config = LoRAConfig(rank: rank, alpha: alpha ?? Double(rank), targetModules: names)
        config.usesRSLoRA = rslora
        config.rankPattern = PatternTable(rankPattern.map { ($0.pattern, $0.rank) })
        return config
    }

    private var names: LoRAConfig.ModuleNames {
        if targets == "all-linear" { return .allLinear }
        let isPlain = targets.utf8.allSatisfy { byte in
            byte >= 0x80 || Character(Unicode.Scalar(byte)).isLetter
                || Character(Unicode.Scalar(byte)).isNumber || "_-.,".utf8.contains(byte)
        }
        guard isPlain else { return .pattern(targets) }
        return .list(targets.split(separator: ",").map { String($0) })
    }

    /// The options that change what is written, as a report shows them.
    var facts: [ReportDocument.Fact] {
        var facts: [ReportDocument.Fact] = [
            .init("method", replace == nil ? method.rawValue : "loftq, one step on a base"),
            .init("rank", "\(rank)"),
            .init("alpha", Quantity.significant(alpha ?? Double(rank), 6)),
        ]
        if rslora { facts.append(.init("rsLoRA", "yes")) }
        if method.quantizes, replace == nil {
            facts.append(.init("iterations", "\(iterations ?? 1)"))
        }
        facts.append(.init("targets", targets))
        facts += rankPattern.map { .init("rank pattern", "\($0.pattern)=\($0.rank)") }
        if minGain != 0 { facts.append(.init("least gain", "\(minGain)")) }
        return facts
    }
}

/// What `--method` takes.
enum MethodName: String, ExpressibleByArgument, CaseIterable {
    case loftq
    case qpissa
    case pissa
    case olora

    /// The library's word for it.
    var method: AdapterMethod {
        switch self {
        case .loftq: .loftq
        case .qpissa: .qpissa
        case .pissa: .pissa
        case .olora: .olora
        }
    }
}

/// `PATTERN=RANK`: layers whose name ends so have a rank of their own.
struct RankRule: Sendable, Equatable {
    let pattern: String
    let rank: Int

    /// Parses a rule.
    /// - Throws: `ValidationError` without `=` and a rank behind it.
    init(argument: String) throws {
        guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex,
            let rank = Int(argument[argument.index(after: sign)...]), rank > 0
        else {
            throw ValidationError("a rule has the form PATTERN=RANK, such as 'down_proj=32'")
        }
        pattern = String(argument[..<sign])
        self.rank = rank
    }
}
