# Target core-cortex-m4f: the whole core as one relocatable object for a Cortex-M4F, and the check
# that it needs nothing but string.h, math.h and the compiler's own helpers.
find_program(ARM_CC arm-none-eabi-gcc)
find_program(ARM_LD arm-none-eabi-ld)
find_program(ARM_NM arm-none-eabi-nm)
set(cross_object ${CMAKE_BINARY_DIR}/cortex-m4f/hillock_core.o)

if(ARM_CC AND ARM_LD AND ARM_NM)
  # A folder with nothing but Random123 in it: /usr/include as a whole would bring the host's libc.
  set(cross_include ${CMAKE_BINARY_DIR}/cortex-m4f/include)
  file(MAKE_DIRECTORY ${cross_include})
  file(CREATE_LINK ${RANDOM123_INCLUDE_DIR}/Random123 ${cross_include}/Random123 SYMBOLIC)
  set(cross_flags -std=gnu11 -O2 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
    -ffreestanding -ffp-contract=off -fno-math-errno -fno-trapping-math -ffunction-sections
    -Wall -Werror -Wno-unknown-pragmas
    -I${CMAKE_SOURCE_DIR}/core -I${CMAKE_SOURCE_DIR}/include -isystem ${cross_include})

  set(cross_objects)
  foreach(source ${core_sources})
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/core ${source})
    set(object ${CMAKE_BINARY_DIR}/cortex-m4f/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
      COMMAND ${ARM_CC} ${cross_flags} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
      COMMENT "Cortex-M4F: core/${name}" VERBATIM)
    list(APPEND cross_objects ${object})
  endforeach()
  add_custom_command(OUTPUT ${cross_object} DEPENDS ${cross_objects}
    COMMAND ${ARM_LD} -r -o ${cross_object} ${cross_objects}
    COMMENT "Cortex-M4F: hillock_core.o" VERBATIM)
  add_custom_target(core-cortex-m4f DEPENDS ${cross_object})

  hk_test(cross_build check 300
    ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target core-cortex-m4f)
  set_tests_properties(cross_build PROPERTIES FIXTURES_SETUP cross RUN_SERIAL ON)
  hk_test(check_core_symbols check 60
    bash ${CMAKE_SOURCE_DIR}/tests/check_core_symbols.sh ${cross_object} ${ARM_NM})
  set_tests_properties(check_core_symbols PROPERTIES FIXTURES_REQUIRED cross)
else()
  add_custom_target(core-cortex-m4f
    COMMAND ${CMAKE_COMMAND} -E echo
    "SKIPPED cross build cortex-m4f: arm-none-eabi-gcc not installed")
  hk_test(check_core_symbols check 60 bash ${CMAKE_SOURCE_DIR}/tests/check_core_symbols.sh)
endif()
