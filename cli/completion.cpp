// The shell's completion script.
#include "cli/completion.hpp"

namespace zenith::cli {

std::string bash_completion(const std::vector<completable>& commands) {
  std::string cases;
  for (const completable& one : commands) {
    cases += "    '" + one.path + "') words='";
    for (size_t i = 0; i < one.words.size(); ++i) cases += (i > 0 ? " " : "") + one.words[i];
    cases += "' ;;\n";
  }
  std::string known = "|";
  for (const completable& one : commands)
    if (!one.path.empty()) known += one.path + "|";
  // The command is the longest known path that the words before the cursor spell, options apart.
  return R"(# Completion of zenith in bash: source <(zenith completion bash)
_zenith() {
  local path='' words='' word i
  local known=')" +
         known + R"('
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == --repo ]]; then i=$((i + 1)); continue; fi
    if [[ $word == -* ]]; then continue; fi
    if [[ $known == *"|${path:+$path }$word|"* ]]; then path=${path:+$path }$word; fi
  done
  case $path in
)" + cases +
         R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _zenith zenith
)";
}

}  // namespace zenith::cli
