internal import ArgumentParser
internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// `quantize doctor`: what a bug report should say of the machine.
struct Doctor: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Describe this machine for a bug report.",
        usage: "quantize doctor [<options>]",
        discussion: """
            Prints a block to paste: version, system, processor, chosen kernels, libraries, \
            limits. It holds no paths, names of users or names of machines.
            """
    )

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func perform(on console: Console) throws -> CommandResult {
        let facts = Doctor.facts()
        var report = ReportDocument(
            title: "quantize doctor",
            summary: "What a bug report should say of the machine."
        )
        report.append("This machine", [.facts(facts)])
        return CommandResult(
            text: facts.lines.joined(separator: "\n") + "\n",
            json: JSONObject(
                facts.map {
                    (Name($0.name.split(separator: " ").joined(separator: "_")), .string($0.value))
                }
            ),
            report: report
        )
    }

    private static func facts() -> [ReportDocument.Fact] {
        var facts: [ReportDocument.Fact] = [
            .init("version", Version.number),
            .init("system", Host.system),
        ]
        if let distribution = Host.distribution {
            facts.append(.init("distribution", distribution))
        }
        let memory = HostMemory.physicalByteCount
        facts += [
            .init("processor", Host.processor),
            .init("threads", "\(AvailableCores.count)"),
            .init("features", HostFeatures.host.description),
            .init("kernels", KernelSelection.name),
            .init("supported kernels", KernelSelection.supportedNames.joined(separator: ", ")),
            .init("subnormals", Host.keepsSubnormals ? "kept" : "flushed to zero: results differ"),
            .init("memory", Quantity.bytes(memory)),
            .init("memory limit", Quantity.bytes(HostMemory.defaultLimitByteCount)),
            .init(
                "control group",
                HostMemory.controlGroupLimitByteCount.map(Quantity.bytes) ?? "no limit on memory"
            ),
        ]
        facts += Host.limits.map { .init("limit on \($0.name)", $0.value) }
        facts.append(.init("zstd", ZstdLibrary.version))
        return facts
    }
}
