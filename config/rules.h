// Checks across keys of one unit, and across units.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// After the last file of a unit: checks keys against each other, and finishes what only the whole
// unit tells: variables in commands, the longest restart delay. Pure.
void FinishUnit(Unit& unit, Problems& problems);

// Why a unit that others name cannot be had, where it is not among the loaded ones; empty text for
// one that exists elsewhere (husk check FILE, whose neighbours are not loaded).
using AbsentUnit = std::function<std::string(std::string_view name, std::string_view asking_path)>;

// Names in After=, Requires=, OnFailure= and their kin, and in Network=; cycles; units that need
// what conflicts. Adds what
// Network=NAME.container implies. Refuses units with errors, and those that require a refused unit.
// `units` is sorted by name. Pure but for `absent`.
void CheckAcrossUnits(std::vector<LoadedUnit>& units, const AbsentUnit& absent);

// The key as the files gave it, or nullptr. `key` is "Section.Key".
const GivenKey* FindGiven(const Unit& unit, std::string_view key);
// Where it was given last; the file as a whole where it was not.
Location PlaceOf(const Unit& unit, std::string_view key);
void AddProblem(Problems& problems, Severity severity, Location at, std::string_view key,
                std::string text, std::string hint = {});
// Where a person who reads the file from top to bottom expects it.
void InsertProblem(Problems& problems, Problem problem);

}  // namespace husk::config
