internal import ArgumentParser
internal import CheckpointIO

struct Verify: ToolCommand {
    static let configuration = CommandConfiguration(commandName: "verify", abstract: "x")
    @OptionGroup(title: "Shared options") var shared: SharedOptions
    func perform(on console: Console) throws -> CommandResult {
        CommandResult(text: "", json: JSONObject(), report: ReportDocument(title: "", summary: ""))
    }
}
