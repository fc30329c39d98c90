// No hot loop sends a vector through memory because it ran out of registers: spills OBJDUMP OBJECT... reads the machine
// code of kernels, and fails on an innermost loop that stores vectors to fixed places of the stack and reads them back.
// Constants that are read from the stack, and buffers, whose place changes from turn to turn, are no spills. One place is
// allowed: GCC 12 sends one vector by way of the stack to convert its halves to double, with registers to spare.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

struct Instruction {
  size_t address;
  std::string name, operands;
};

struct Function {
  std::string name;
  std::vector<Instruction> code;
};

std::vector<Function> disassemble(const std::string& objdump, const std::string& object) {
  FILE* pipe = popen(("'" + objdump + "' -dC --no-show-raw-insn '" + object + "'").c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + objdump);
  std::vector<Function> functions;
  char* line = nullptr;
  size_t size = 0;
  while (getline(&line, &size, pipe) > 0) {
    const std::string text(line, std::string(line).find('\n'));
    if (const size_t name = text.find(" <"); text.ends_with(">:") && name != std::string::npos) {
      functions.push_back({text.substr(name + 2, text.size() - name - 4), {}});
    } else if (const size_t tab = text.find(":\t"); tab != std::string::npos && !functions.empty()) {
      const size_t space = std::min(text.find_first_of(" \t", tab + 2), text.size());
      const size_t operands = std::min(text.find_first_not_of(" \t", space), text.size());
      functions.back().code.push_back(
          {std::stoul(text.substr(0, tab), nullptr, 16), text.substr(tab + 2, space - tab - 2), text.substr(operands)});
    }
  }
  std::free(line);
  if (pclose(pipe) != 0) throw std::runtime_error(objdump + " failed on " + object);
  return functions;
}

struct Loop {
  size_t first, last;  // positions in the code
};

/// Where a jump goes, by its last operand; nowhere for any other instruction.
size_t target_of(const Instruction& jump) {
  static const std::regex target("(?:.*[ ,])?([0-9a-f]+) <.*");
  std::smatch match;
  for (const char* begin : {"j", "b.", "cb", "tb"})
    if (jump.name.starts_with(begin) && std::regex_match(jump.operands, match, target))
      return std::stoul(match[1], nullptr, 16);
  return ~size_t{0};
}

/// The loops that have no other inside; what jumps, calls or returns elsewhere is none.
std::vector<Loop> innermost_loops(const std::vector<Instruction>& code) {
  static const std::set<std::string> elsewhere{"jmp", "call", "ret", "b", "bl", "blr", "br"};
  std::map<size_t, size_t> position;
  for (size_t i = 0; i < code.size(); ++i) position[code[i].address] = i;
  std::vector<Loop> loops;
  for (size_t i = 0; i < code.size(); ++i) {
    const auto target = position.find(target_of(code[i]));
    if (target != position.end() && target->second <= i) loops.push_back({target->second, i});
  }
  std::erase_if(loops, [&](const Loop& loop) {
    for (const Loop& other : loops)
      if (other.first >= loop.first && other.last < loop.last) return true;
    for (size_t i = loop.first; i < loop.last; ++i)
      if (elsewhere.count(code[i].name)) return true;
    return false;
  });
  return loops;
}

/// The places of the stack that take a vector and give it back within one turn.
std::set<std::string> spills(const std::vector<Instruction>& code, const Loop& loop) {
  static const std::regex store(
      "%[yz]mm[0-9]+,((?:-?0x[0-9a-f]+)?\\(%r[sb]p\\))|(?:q[0-9]+, )+(\\[(?:sp|x29)(?:, #-?[0-9]+)?\\])");
  std::set<std::string> places;
  std::smatch match;
  for (size_t i = loop.first; i <= loop.last; ++i)
    if (!code[i].name.starts_with("ld") && std::regex_match(code[i].operands, match, store))
      places.insert(match[match[1].matched ? 1 : 2]);
  std::erase_if(places, [&](const std::string& place) {
    for (size_t i = loop.first; i <= loop.last; ++i)
      if (code[i].operands.find(place + ",") != std::string::npos ||
          (code[i].name.starts_with("ld") && code[i].operands.ends_with(place)))
        return false;
    return true;
  });
  return places;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: spills OBJDUMP OBJECT...\n";
    return 2;
  }
#if defined(__aarch64__)
  constexpr const char* sets[] = {"Baseline"};
#else
  constexpr const char* sets[] = {"Avx2", "Avx512"};
#endif
  int loops = 0, found = 0;
  for (int i = 2; i < argc; ++i)
    for (const Function& function : disassemble(argv[1], argv[i])) {
      if (std::none_of(std::begin(sets), std::end(sets),
                       [&](const char* set) { return function.name.find(set) != std::string::npos; }))
        continue;
      for (const Loop& loop : innermost_loops(function.code)) {
        ++loops;
        const std::set<std::string> places = spills(function.code, loop);
        if (places.size() < 2) continue;
        ++found;
        std::cerr << argv[i] << ": a loop of " << loop.last - loop.first + 1 << " instructions at " << std::hex
                  << function.code[loop.first].address << std::dec << " spills " << places.size() << " vectors in\n  "
                  << function.name.substr(0, 300) << "\n";
      }
    }
  std::cout << loops << " innermost loops, " << found << " with spills\n";
  return found == 0 && loops > 0 ? 0 : 1;
}
