# Writes the assembler file that embeds FILES, and the table that finds them. Called by
# service/CMakeLists.txt with OUT_S, OUT_INC and FILES ("path|file" pairs, semicolons between).
set(assembly "  .section .rodata\n")
set(table "")
set(index 0)
foreach(pair IN LISTS FILES)
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 path)
  list(GET pair 1 file)
  string(APPEND assembly
    "  .global sluice_asset_${index}_begin\n  .global sluice_asset_${index}_end\n"
    "  .balign 16\nsluice_asset_${index}_begin:\n  .incbin \"${file}\"\nsluice_asset_${index}_end:\n  .byte 0\n")
  string(APPEND declarations
    "extern const char sluice_asset_${index}_begin[];\nextern const char sluice_asset_${index}_end[];\n")
  string(APPEND table "    entry(\"${path}\", sluice_asset_${index}_begin, sluice_asset_${index}_end),\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND assembly "  .section .note.GNU-stack,\"\",@progbits\n")
file(WRITE ${OUT_S} "${assembly}")
file(WRITE ${OUT_INC} "extern \"C\" {\n${declarations}}\n#define SLUICE_ASSETS \\\n")
string(REPLACE "\n" " \\\n" table "${table}")
file(APPEND ${OUT_INC} "${table}\n")
