internal import ArgumentParser
internal import CheckpointIO

struct Inspect: ToolCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "x")
    @OptionGroup(title: "Shared options") var shared: SharedOptions
    func perform(on console: Console) throws -> CommandResult {
        CommandResult(text: "", json: JSONObject(), report: ReportDocument(title: "", summary: ""))
    }
}
