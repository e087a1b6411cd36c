#pragma once

#include "sluice/analyze.h"

namespace sluice::tools {

/// Prints what people want to see first of an analysis.
void print_analysis(const AnalyzeResult& result);

}  // namespace sluice::tools
