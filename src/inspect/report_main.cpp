// tapegrad-report RUN... [-o FILE]: the report of one run, or of several side by side, from the logs that inspect::Microscope wrote.
#include <tapegrad/error.h>
#include <tapegrad/inspect/report.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  std::vector<std::string> logs;
  std::string path = "report.html";
  bool help = argc < 2;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-h" || word == "--help")
      help = true;
    else if (word == "-o" && i + 1 < argc)
      path = argv[++i];
    else
      logs.push_back(word);
  }
  if (help || logs.empty()) {
    std::puts(
        "tapegrad-report RUN.jsonl... [-o report.html]\nOne page, to be opened in a browser, of one run or "
        "several side by side.");
    return help && argc > 1 ? 0 : 2;
  }
  try {
    tapegrad::inspect::write_report(logs, path);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("%s\n", path.c_str());
}
